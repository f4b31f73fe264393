"""Which beams there are: reflections near the Ewald sphere, strong ones first (docs/physics.md §11)."""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.spots.candidates import expand, ranges_in_shell

_STRONG, _WEAK, _FAR, _UNSEEN = range(4)  # in the order in which they are listed
_FEWER = 0.95  # factor on the largest excitation error of a strong beam while there are too many of them


@kernel
def list_beams(axes, lattice, k, potential, choice, reach, seen, strong, back, room):
    """Fill ``room.beams``: the direct one, strong ones, weak ones, far ones, and such as only act back on the strong.

    Parameters
    ----------
    axes
        (3, 3) reciprocal axes of the scaled lattice in the laboratory as rows; the beam runs along −z.
    lattice, potential, choice
        ``Lattice``, whose ``intensity`` is 0 for reflections that cannot be reached, ``Potential`` and ``BeamChoice``.
    k
        1/λ in the crystal, Å⁻¹.
    reach, seen
        Largest in-plane |g| of all beams, and of those that are asked for, Å⁻¹.
    strong, back
        Excitation errors up to which beams are propagated, and up to which weak ones act back on them, Å⁻¹.
    room
        ``Room``, whose coefficients are those of this crystal.

    Returns
    -------
    (4,) int64
        Where strong, weak and far beams and the rest end.
    zonal : bool
        Whether beams near the sphere couple to the direct one as strongly as those of a zone axis do.
    limited : bool
        Whether fewer beams are strong than ``choice`` wants of any direction, because those were too many.
    """
    spots, found, beams = room.candidates, room.found, room.beams
    ranges_in_shell(axes, lattice, k, choice.far, reach, spots.low, spots.high)
    n = expand(axes, lattice, spots)
    origin = lattice.intensity.shape[0] // 2
    kept = 0
    for i in range(n):
        x, y, z, reflection = spots.x[i], spots.y[i], spots.z[i], spots.reflection[i]
        square = x * x + y * y
        error = z - (square + z * z) / (2.0 * k)
        if abs(error) > choice.far or square > reach * reach or reflection == origin:
            continue
        if lattice.intensity[reflection, 0] == 0.0:
            continue
        found.g[kept, 0], found.g[kept, 1], found.g[kept, 2] = x, y, z
        found.error[kept], found.reflection[kept] = error, reflection
        kept += 1
    largest, coupled = _largest_error(found.error, kept, strong, choice.most_strong), 0.0
    for i in range(kept):
        error = abs(found.error[i])
        if error <= choice.near and _within(found.g[i], choice.g_near):
            coupled += _coupling(room, potential.places[found.reflection[i]] + potential.origin) ** 2
        if error <= largest:
            kind = _STRONG
        elif not _within(found.g[i], seen):
            kind = _UNSEEN
        elif error <= choice.weak:
            kind = _WEAK
        else:
            place = potential.places[found.reflection[i]] + potential.origin
            kind = _FAR if _coupling(room, place) >= 2.0 * k * choice.far_coupling * error else _UNSEEN
        found.place[i] = kind if kind != _UNSEEN or error <= back else _UNSEEN + 1
    beams.g[0, :], beams.error[0], beams.reflection[0] = 0.0, 0.0, origin
    ends, n = np.empty(4, np.int64), 1
    for kind in range(4):
        for i in range(kept):
            if found.place[i] == kind:
                _copy(found, i, beams, n)
                n += 1
        ends[kind] = n
    return ends, coupled > choice.zone, largest < choice.strong


@kernel(inline=True)
def _coupling(room, place):
    """Return |U|, Å⁻²."""
    imaginary = room.imaginary[place] if room.imaginary.shape[0] > 0 else np.float32(0.0)
    return math.hypot(room.real[place], imaginary)


@kernel(inline=True)
def _within(g, radius):
    return g[0] * g[0] + g[1] * g[1] <= radius * radius


@kernel
def _largest_error(errors, n, wanted, most):
    """Return the excitation error up to which beams are strong: the wanted one, or less where they are too many."""
    largest = wanted
    while True:
        count = 1
        for i in range(n):
            count += abs(errors[i]) <= largest
        if count <= most:
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
