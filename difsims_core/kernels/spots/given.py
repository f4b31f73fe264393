"""Spots that an engine gives, taken one pattern after another."""

from __future__ import annotations

from difsims_core.kernels.compile import kernel


@kernel
def take_given(i, given, weight, spots):
    """Copy the given spots of pattern ``i``, with ``weight`` times their intensities; return their number."""
    start = given.start[i]
    n = given.start[i + 1] - start
    for j in range(n):
        spots.x[j], spots.y[j], spots.z[j] = given.x[start + j], given.y[start + j], j
        spots.reflection[j], spots.s[j] = given.reflection[start + j], given.s[start + j]
        spots.factor[j], spots.intensity[j] = 1.0, weight * given.intensity[start + j]
    return n
