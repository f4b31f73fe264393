"""Which beams there are: reflections near the Ewald sphere, strong ones first (docs/physics.md §11)."""

from __future__ import annotations

import math

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.spots.candidates import expand, ranges_in_shell

_FEWER = 0.95  # factor on the largest excitation error of a strong beam while there are too many of them


@kernel
def list_beams(axes, lattice, k, choice, reach, seen, spots, found, beams):
    """Fill ``beams``: the direct one first, then those that are propagated, weak ones, weak ones that are not seen.

    Parameters
    ----------
    axes
        (3, 3) reciprocal axes of the scaled lattice in the laboratory as rows; the beam runs along −z.
    lattice, choice
        ``Lattice``, whose ``intensity`` is 0 for reflections that cannot be reached, and ``BeamChoice``.
    k
        1/λ in the crystal, Å⁻¹.
    reach, seen
        Largest in-plane |g| of all beams, and of those that are asked for, Å⁻¹.
    spots
        ``SpotBuffer`` for the candidates, overwritten.
    found
        ``Beams``, overwritten.
    beams
        ``Beams``.

    Returns
    -------
    n_strong, n_seen, n : int
    """
    ranges_in_shell(axes, lattice, k, choice.weak, reach, spots.low, spots.high)
    n = expand(axes, lattice, spots)
    origin = lattice.intensity.shape[0] // 2
    kept = 0
    for i in range(n):
        x, y, z, reflection = spots.x[i], spots.y[i], spots.z[i], spots.reflection[i]
        square = x * x + y * y
        error = z - (square + z * z) / (2.0 * k)
        if abs(error) > choice.weak or square > reach * reach or reflection == origin:
            continue
        if lattice.intensity[reflection, 0] == 0.0:
            continue
        found.g[kept, 0], found.g[kept, 1], found.g[kept, 2] = x, y, z
        found.error[kept], found.reflection[kept] = error, reflection
        kept += 1
    largest = _largest_error(found.error, kept, choice)
    beams.g[0, :], beams.error[0], beams.reflection[0] = 0.0, 0.0, origin
    n_strong = 1
    for i in range(kept):
        if abs(found.error[i]) <= largest:
            _copy(found, i, beams, n_strong)
            n_strong += 1
    n_seen = n_strong
    for i in range(kept):
        if abs(found.error[i]) > largest and _within(found.g[i], seen):
            _copy(found, i, beams, n_seen)
            n_seen += 1
    n = n_seen
    for i in range(kept):
        if abs(found.error[i]) > largest and not _within(found.g[i], seen):
            _copy(found, i, beams, n)
            n += 1
    return n_strong, n_seen, n


@kernel(inline=True)
def _within(g, radius):
    return g[0] * g[0] + g[1] * g[1] <= radius * radius


@kernel
def _largest_error(errors, n, choice):
    """Return the excitation error up to which beams are strong: that of the choice, or less where they are too many."""
    largest = choice.strong
    while True:
        count = 1
        for i in range(n):
            count += abs(errors[i]) <= largest
        if count <= choice.most_strong:
            return largest
        largest *= _FEWER


@kernel
def _copy(found, i, beams, to):
    beams.g[to, 0], beams.g[to, 1], beams.g[to, 2] = found.g[i, 0], found.g[i, 1], found.g[i, 2]
    beams.error[to], beams.reflection[to] = found.error[i], found.reflection[i]


@kernel
def place_beams(beams, n, places, k, tilt):
    """Fill the places of ``n`` beams in the potential, from those of reflections, and their 1/√(1 + g_n/K).

    The normal component of g is taken along the direction in which the beam runs, −z.
    """
    for i in range(n):
        beams.place[i] = places[beams.reflection[i]]
        tilt[i] = 1.0 / math.sqrt(1.0 - beams.g[i, 2] / k)
