"""Draw one quantity for some patterns, given by their indices (n,) int64 (docs/physics.md §8)."""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.random.counter_rng import philox, to_unit


@kernel
def uniform(seed, patterns, low, high, purpose, out):
    """Fill ``out`` (n,) with numbers in [low, high)."""
    for i in range(out.shape[0]):
        u = to_unit(philox(seed, patterns[i], purpose, 0)[0])
        out[i] = low + (high - low) * u


@kernel
def log_uniform(seed, patterns, low, high, purpose, out):
    """Fill ``out`` (n,) with numbers whose logarithm is even over [ln low, ln high)."""
    a, b = math.log(low), math.log(high)
    for i in range(out.shape[0]):
        u = to_unit(philox(seed, patterns[i], purpose, 0)[0])
        out[i] = math.exp(a + (b - a) * u)


@kernel
def choice_index(seed, patterns, n_choices, purpose, out):
    """Fill ``out`` (n,) with integers in 0 … n_choices − 1."""
    for i in range(out.shape[0]):
        u = to_unit(philox(seed, patterns[i], purpose, 0)[0])
        out[i] = int(u * n_choices)


@kernel
def rotation(seed, patterns, purpose, out):
    """Fill ``out`` (n, 4) with unit quaternions (a, b, c, d), uniform over the rotations.

    References
    ----------
    K. Shoemake, Uniform random rotations, Graphics Gems III (1992), eq. on p. 130.
    """
    for i in range(out.shape[0]):
        w0, w1 = philox(seed, patterns[i], purpose, 0)
        u = to_unit(w0)
        second = 2.0 * math.pi * to_unit(w1)
        third = 2.0 * math.pi * to_unit(philox(seed, patterns[i], purpose, 1)[0])
        r1, r2 = math.sqrt(1.0 - u), math.sqrt(u)
        out[i, 0] = r2 * math.cos(third)
        out[i, 1] = r1 * math.sin(second)
        out[i, 2] = r1 * math.cos(second)
        out[i, 3] = r2 * math.sin(third)


@kernel
def subset(seed, patterns, among, count, purpose, out):
    """Fill ``out`` (n,) uint64 with bit masks: ``count`` of the lowest ``among`` bits set, or 0 … among when < 0."""
    order = np.empty(among, np.int64)
    for i in range(out.shape[0]):
        n = count
        if n < 0:
            n = int(to_unit(philox(seed, patterns[i], purpose, 0)[0]) * (among + 1))
        for j in range(among):
            order[j] = j
        mask = np.uint64(0)
        for j in range(min(n, among)):
            u = to_unit(philox(seed, patterns[i], purpose, 1 + j)[0])
            pick = j + int(u * (among - j))
            order[j], order[pick] = order[pick], order[j]
            mask |= np.uint64(1) << np.uint64(order[j])
        out[i] = mask
