"""Counts of a detector, drawn annulus by annulus from the exact distributions (PHYSICS §6).

References
----------
W. Hörmann, The transformed rejection method for generating Poisson random variables,
Insur. Math. Econ. 12 (1993): PTRS.
W. Hörmann, The generation of binomial random variates, J. Stat. Comput. Simul. 46 (1993): BTRS.
"""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.counter_rng import next_unit, seed_stream

_INVERSION_BELOW = 10.0
_NORMAL_ABOVE = 1e12  # where the skewness is 10⁻⁶ and counts no longer fit PTRS in double precision


@kernel
def poisson(mean, state):
    """Return a Poisson variate as a double: inversion below a mean of 10, PTRS above, both exact.

    From a mean of 10¹² on, a rounded normal variate (Box–Muller).
    """
    if mean <= 0.0:
        return 0.0
    if mean > _NORMAL_ABOVE:
        radius = math.sqrt(-2.0 * math.log(1.0 - next_unit(state)))
        return np.floor(mean + math.sqrt(mean) * radius * math.cos(2.0 * math.pi * next_unit(state)) + 0.5)
    if mean < _INVERSION_BELOW:
        u = next_unit(state)
        probability = math.exp(-mean)
        k = 0.0
        while u > probability and k < 200.0:
            u -= probability
            k += 1.0
            probability *= mean / k
        return k
    root = math.sqrt(mean)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u = next_unit(state) - 0.5
        v = next_unit(state)
        us = 0.5 - abs(u)
        k = np.floor((2.0 * a / us + b) * u + mean + 0.43) if us > 0.0 else -1.0
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0.0 or (us < 0.013 and v > us) or v <= 0.0:
            continue
        if math.log(v * inverse_alpha / (a / (us * us) + b)) <= k * math.log(mean) - mean - math.lgamma(k + 1.0):
            return k


@kernel
def binomial(n, p, state):
    """Return a Binomial(n, p) variate as a double, p ≤ 1/2: inversion for np below 10, BTRS above."""
    if p <= 0.0 or n <= 0:
        return 0.0
    q = 1.0 - p
    if n * p < _INVERSION_BELOW:
        u = next_unit(state)
        odds = p / q
        probability = math.exp(n * math.log1p(-p))
        k = 0.0
        while u > probability and k < n:
            u -= probability
            k += 1.0
            probability *= odds * (n - k + 1.0) / k
        return k
    root = math.sqrt(n * p * q)
    b = 1.15 + 2.53 * root
    a = -0.0873 + 0.0248 * b + 0.01 * p
    c = n * p + 0.5
    v_r = 0.92 - 4.2 / b
    alpha = (2.83 + 5.1 / b) * root
    log_odds = math.log(p / q)
    mode = np.floor((n + 1) * p)
    h = math.lgamma(mode + 1.0) + math.lgamma(n - mode + 1.0)
    while True:
        u = next_unit(state) - 0.5
        v = next_unit(state)
        us = 0.5 - abs(u)
        k = np.floor((2.0 * a / us + b) * u + c) if us > 0.0 else -1.0
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0.0 or k > n or v <= 0.0:
            continue
        v = v * alpha / (a / (us * us) + b)
        if math.log(v) <= h - math.lgamma(k + 1.0) - math.lgamma(n - k + 1.0) + (k - mode) * log_odds:
            return k


@kernel
def count_profiles(profiles, counts, unit, dose, hot, spike, seed, patterns, purpose, order, n_order):
    """Replace noise-free profiles by counted ones, in place.

    Parameters
    ----------
    profiles
        (n, n_bins) float32, mean intensity per pixel of each annulus.
    counts
        (n_bins,) pixels of each annulus; an annulus without pixels reads 0.
    unit, dose, hot, spike
        (n,) intensity P of one unit; counts a unit (infinite: no counting noise); probability of a hot pixel; its
        reading in units.
    seed, patterns, purpose
        Address of the random numbers; ``patterns`` (n,) are global indices.
    order, n_order
        Bins in the order in which their numbers are drawn, and how many of them are wanted; the others are not touched.
    """
    state = np.empty(4, np.uint64)
    for i in range(profiles.shape[0]):
        seed_stream(seed, patterns[i], purpose, state)
        p_hot, per_unit = hot[i], dose[i]
        for j in range(n_order):
            b = order[j]
            pixels = counts[b]
            if pixels == 0:
                profiles[i, b] = 0.0
                continue
            level = profiles[i, b] / unit[i]
            n_hot = binomial(pixels, p_hot, state) if p_hot > 0.0 else 0.0
            level *= pixels - n_hot
            if not math.isinf(per_unit):
                level = poisson(per_unit * level, state) / per_unit
            profiles[i, b] = (level + n_hot * spike[i]) / pixels * unit[i]


@kernel
def spike_profiles(profiles, counts, unit, hot, spike, seed, patterns, purpose):
    """Apply the noise of the old platform, in place (PHYSICS §7, historical).

    On the pattern in units of its maximum, a hot pixel reads spike + Poisson(spike); all others stay noise-free.
    """
    state = np.empty(4, np.uint64)
    for i in range(profiles.shape[0]):
        seed_stream(seed, patterns[i], purpose, state)
        for b in range(profiles.shape[1]):
            pixels = counts[b]
            if pixels == 0 or hot[i] <= 0.0:
                continue
            n_hot = binomial(pixels, hot[i], state)
            bright = n_hot * spike[i]
            level = (pixels - n_hot) * profiles[i, b] / unit[i] + bright + poisson(bright, state)
            profiles[i, b] = level / pixels * unit[i]
