"""Intensities unlike kinematical ones, spot by spot; their physics is in ``augment``."""

from __future__ import annotations

import math

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.image.detector import brightest_of
from difsims_core.kernels.random.counter_rng import philox, to_unit


@kernel
def two_beam(spots, n, extinction, weight, table, per_unit):
    """Multiply intensities weight · |F|² · shape factor by Blackman's factor of A = extinction · |F|.

    ``table`` holds (1/A) ∫₀^A J₀(2x) dx for A in steps of 1 / per_unit; beyond it the factor is 1 / 2A.
    """
    for i in range(n):
        if spots.factor[i] <= 0.0:
            continue
        a = extinction * math.sqrt(spots.intensity[i] / (spots.factor[i] * weight))
        place = int(a * per_unit)
        if place + 1 < table.shape[0]:
            f = a * per_unit - place
            spots.intensity[i] *= (1.0 - f) * table[place] + f * table[place + 1]
        else:
            spots.intensity[i] *= 0.5 / a


@kernel
def randomise(spots, n, exponent, scatter, seed, pattern, purpose):
    """Raise intensities to a power, the brightest one kept, and multiply each by exp(scatter · normal variate)."""
    brightest = brightest_of(spots, n)
    if brightest <= 0.0:
        return
    for i in range(n):
        value = spots.intensity[i] / brightest
        if exponent != 1.0 and value > 0.0:
            value = math.exp(exponent * math.log(value))
        if scatter > 0.0:
            word, other = philox(seed, pattern, purpose, spots.reflection[i])
            radius = math.sqrt(-2.0 * math.log(1.0 - to_unit(word)))
            value *= math.exp(scatter * radius * math.cos(2.0 * math.pi * to_unit(other)))
        spots.intensity[i] = value * brightest
