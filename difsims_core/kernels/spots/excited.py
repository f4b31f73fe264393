"""The excited reflections of each pattern as a list, before any detector (docs/physics.md §4)."""

from __future__ import annotations

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.profile.pattern import excited_reflections
from difsims_core.kernels.spots.excite import point_factor


@kernel
def count_excited(conditions, lattice, beam, frame, table, per_unit, spots, counts):
    """Fill ``counts`` (m,) with the number of excited reflections; other parameters as ``excited_reflections``."""
    for i in range(counts.shape[0]):
        counts[i] = excited_reflections(i, conditions, lattice, beam, frame, table, per_unit, spots)


@kernel
def list_excited(conditions, lattice, beam, frame, table, per_unit, spots, found):
    """Write the excited reflections of each pattern into the arrays of ``found``, a ``GivenSpots``."""
    for i in range(found.disc_start.shape[0]):
        n = excited_reflections(i, conditions, lattice, beam, frame, table, per_unit, spots)
        at = found.start[i]
        for j in range(n):
            found.x[at + j], found.y[at + j] = spots.x[j], spots.y[j]
            found.reflection[at + j], found.s[at + j] = spots.reflection[j], spots.s[j]
            found.intensity[at + j] = spots.intensity[j]
        disc, points = conditions.disc[i], conditions.points[i]
        if disc > 0.0:
            width, angle, at = conditions.width[i], conditions.angle[i], found.disc_start[i]
            for j in range(n):
                for p in range(points):
                    value = point_factor(spots, j, p, points, disc, beam, width, angle)
                    found.disc[at + j * points + p] = value / spots.factor[j]
