"""The spots of each pattern as a list: the peak-position library."""

from __future__ import annotations

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.image.detector import hide
from difsims_core.kernels.profile.pattern import whole_spots


@kernel
def most_spots_of(conditions, lattice, beam, given, frame, random, spots):
    """Return the largest number of spots of a pattern, beside the detector or on it, a convergence disc as one."""
    most = 0
    for i in range(conditions.pattern.shape[0]):
        most = max(most, whole_spots(i, conditions, lattice, beam, given, frame, random, spots))
    return most


@kernel
def count_spots(conditions, lattice, beam, given, frame, random, spots, counts):
    """Fill ``counts`` (m,) with the number of spots on the detector of each pattern, removed ones left out."""
    for i in range(counts.shape[0]):
        n = whole_spots(i, conditions, lattice, beam, given, frame, random, spots)
        hide(spots, n, conditions.sigma[i], conditions.hidden[i])
        counts[i] = 0
        for j in range(n):
            counts[i] += (spots.beside[j] == 0) & (spots.intensity[j] > 0.0)


@kernel
def list_spots(conditions, lattice, beam, given, frame, random, spots, starts, place, position, intensity, error):
    """Write the spots on the detector of each pattern from ``starts`` (m,) on.

    ``place`` (n,) int64 says which reflection of the lattice it is, ``position`` (n, 2) where it is in pixels from the
    centre; ``intensity`` and ``error`` (n,) are its intensity and excitation error, Å⁻¹.
    """
    for i in range(starts.shape[0]):
        n = whole_spots(i, conditions, lattice, beam, given, frame, random, spots)
        hide(spots, n, conditions.sigma[i], conditions.hidden[i])
        at = starts[i]
        for j in range(n):
            if spots.beside[j] == 0 and spots.intensity[j] > 0.0:
                place[at], intensity[at], error[at] = spots.reflection[j], spots.intensity[j], spots.s[j]
                position[at, 0], position[at, 1] = spots.x_px[j], spots.y_px[j]
                at += 1
