"""Intensities of the beams that leave some crystals, one direction of the incident beam after another.

See docs/physics.md §11.
"""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.bloch.beams import list_beams, place_beams
from difsims_core.kernels.bloch.bethe import fold_in_weak_beams
from difsims_core.kernels.bloch.matrix import (
    coefficients,
    fill_couplings,
    interpolation,
    interval,
    mean_potential,
    padded,
    to_unit_interval,
)
from difsims_core.kernels.bloch.propagate import propagate
from difsims_core.kernels.bloch.tilts import n_tilts, tilt_of, tilted_axes
from difsims_core.kernels.bloch.weak import FAR_ORDERS, ORDERS, krylov, weak_intensities
from difsims_core.kernels.compile import kernel
from difsims_core.kernels.profile.pattern import turned_axes

_ROOM = 4096  # beams to begin with


@kernel
def diffract(axes, k, absorbed, thickness, seen, lattice, potential, choice, room):
    """Fill ``room.beams`` and ``room.intensity`` for one direction of the beam.

    Parameters
    ----------
    axes
        (3, 3) reciprocal axes of the scaled lattice as rows, Å⁻¹; the beam runs along −z.
    k
        1/λ in the crystal, Å⁻¹.
    absorbed
        Absorbing part of the mean potential, Å⁻².
    thickness
        (t,) Å.
    seen
        Largest in-plane |g| that is asked for, Å⁻¹.
    lattice, potential, choice, room
        ``Lattice``, ``Potential``, ``BeamChoice`` and ``Room``, whose coefficients are those of this crystal.

    Returns
    -------
    n : int
        Number of beams.
    limited : bool
        Whether fewer are strong than ``choice`` wants.

    Notes
    -----
    The direct beam comes first. Intensities are parts of the incident one. What weak beams take, strong ones have lost:
    all together are as strong as the strong ones alone are computed to be.
    """
    beams, tilt, diagonal, matrix = room.beams, room.tilt, room.diagonal, room.matrix
    strong, back = choice.strong, choice.back
    reach = max(seen, choice.g_strong)
    ends, zonal, limited = list_beams(axes, lattice, k, potential, choice, reach, seen, strong, back, room)
    if zonal:
        strong, back, reach = choice.strong_zone, choice.weak, max(seen, choice.g_weak)
        ends, _, limited = list_beams(axes, lattice, k, potential, choice, reach, seen, strong, back, room)
    n_strong, n_weak, n, n_all = ends
    place_beams(beams, n_all, potential.places, k, tilt)
    size, half_inverse = padded(n_strong), 0.5 / k
    fill_couplings(room.real, potential.origin, beams.place, tilt, n_strong, half_inverse, size, matrix[0])
    if matrix.shape[0] == 2:
        fill_couplings(room.imaginary, potential.origin, beams.place, tilt, n_strong, half_inverse, size, matrix[1])
    for i in range(n_strong):
        diagonal[i] = beams.error[i] * tilt[i] * tilt[i]
    if back > strong:
        fold_in_weak_beams(room, potential.origin, n_strong, n_all, back, size, half_inverse)
    middle, half = interval(matrix, diagonal, n_strong)
    to_unit_interval(matrix, diagonal, n_strong, size, middle, half)
    n_thick = thickness.shape[0]
    psi, intensity = room.psi, room.intensity
    propagate(matrix, size, middle, half, thickness, psi, room.work)
    for t in range(n_thick):
        for i in range(n_strong):
            intensity[t, i] = psi[t, 0, i] * psi[t, 0, i] + psi[t, 1, i] * psi[t, 1, i]
    if n > n_strong:
        start = room.start
        start[0, :, :size] = np.float32(0.0)
        start[0, 0, 0] = np.float32(1.0)
        krylov(matrix, size, middle, half, start)
        for t in range(n_thick):
            room.powers[t, 0, :, :size] = psi[t, :, :size]
            krylov(matrix, size, middle, half, room.powers[t])
        weak_intensities(room, potential.origin, n_strong, n_strong, n_weak, ORDERS, half_inverse, thickness)
        weak_intensities(room, potential.origin, n_strong, n_weak, n, FAR_ORDERS, half_inverse, thickness)
    for t in range(n_thick):
        _share_out(intensity[t], n_strong, n, math.exp(-4.0 * math.pi * half_inverse * absorbed * thickness[t]))
    return n, limited


@kernel
def _share_out(intensity, n_strong, n, left):
    """Make all beams together as strong as the incident one, of which the part ``left`` is not absorbed."""
    strong, weak = 0.0, 0.0
    for i in range(n_strong):
        strong += intensity[i]
    for i in range(n_strong, n):
        weak += intensity[i]
    factor = np.float32(left * strong / (strong + weak))
    for i in range(n):
        intensity[i] *= factor


@kernel
def diffracted(crystals, k, lattice, indices, potential, choice, floor, room):
    """Return the diffracted beams of some crystals, end to end.

    Parameters
    ----------
    crystals
        ``Crystals``.
    k
        1/λ, Å⁻¹.
    lattice, indices, potential, choice, room
        ``Lattice``, (n, 3) indices of its reflections along its axes, ``Potential``, ``BeamChoice``, ``Room``.
    floor
        Beams that are weaker at all thicknesses are left out.

    Returns
    -------
    start : (m + 1,) int64
        Beams of crystal ``i`` are ``start[i]:start[i + 1]``.
    reflection : (n,) int64
    g, error : (n, 2) and (n,) float64
        In-plane vector and excitation error s of the middle of the incident beam, Å⁻¹.
    first : (m + 1,) int64
        Where the intensities of a crystal begin.
    intensity : (…,) float32
        Of each crystal (thicknesses, directions of the disc, beams).
    limited : bool
        Whether a direction of any crystal has fewer strong beams than ``choice`` wants.
    """
    m = crystals.b.shape[0]
    start, first = np.zeros(m + 1, np.int64), np.zeros(m + 1, np.int64)
    reflection, g, error = np.empty(_ROOM, np.int64), np.empty((_ROOM, 2)), np.empty(_ROOM)
    intensity = np.empty(_ROOM, np.float32)
    scale, b, inside, absorbed, limited = -1.0, -1.0, k, 0.0, False
    for i in range(m):
        if scale != crystals.lattice_scale[i] or b != crystals.b[i]:
            scale, b = crystals.lattice_scale[i], crystals.b[i]
            between = interpolation(b, scale, potential)
            coefficients(potential.real, between, room.real)
            coefficients(potential.imaginary, between, room.imaginary)
            mean, absorbed = mean_potential(potential, between)
            inside = math.sqrt(k * k + mean)
        axes = turned_axes(crystals.orientation[i], lattice.axes, scale)
        which, values, few = _beams_of(i, axes, crystals, k, inside, absorbed, lattice, potential, choice, room)
        limited = limited or few
        n_thick, n_disc = values.shape[0], values.shape[1]
        at, at_value = start[i], first[i]
        reflection, error = _grown(reflection, at + which.shape[0]), _grown(error, at + which.shape[0])
        intensity = _grown(intensity, at_value + values.size)
        if g.shape[0] < reflection.shape[0]:
            longer = np.empty((reflection.shape[0], 2))
            longer[:at] = g[:at]
            g = longer
        kept = np.empty(which.shape[0], np.int64)
        n = 0
        for j in range(which.shape[0]):
            kept[n] = j
            n += which[j] != indices.shape[0] // 2 and values[:, :, j].max() > floor
        for j in range(n):
            place = which[kept[j]]
            x, y, z = 0.0, 0.0, 0.0
            for axis in range(3):
                index = float(indices[place, axis])
                x, y, z = x + index * axes[axis, 0], y + index * axes[axis, 1], z + index * axes[axis, 2]
            reflection[at + j], g[at + j, 0], g[at + j, 1] = place, x, y
            error[at + j] = (x * x + y * y + z * z) / (2.0 * k) - z
            for t in range(n_thick):
                for d in range(n_disc):
                    intensity[at_value + (t * n_disc + d) * n + j] = values[t, d, kept[j]]
        start[i + 1], first[i + 1] = at + n, at_value + n * n_thick * n_disc
    n, n_values = start[m], first[m]
    return start, reflection[:n].copy(), g[:n].copy(), error[:n].copy(), first, intensity[:n_values].copy(), limited


@kernel
def _grown(values, needed):
    """Return an array with the same values and room for as many as are needed."""
    if needed <= values.shape[0]:
        return values
    longer = np.empty(2 * needed, values.dtype)
    longer[: values.shape[0]] = values
    return longer


@kernel
def _beams_of(i, axes, crystals, k, inside, absorbed, lattice, potential, choice, room):
    """Return the reflections of crystal ``i``, their intensities (thicknesses, directions of the disc, n), and more.

    The last is whether beams were limited, as ``diffract`` says; ``inside`` is 1/λ in the crystal, as its ``k``.
    """
    seen = crystals.seen[i]
    thickness = crystals.thickness[crystals.start[i] : crystals.start[i + 1]]
    n_thick, n_disc, n_cone = thickness.shape[0], n_tilts(crystals.rings[i]), crystals.cone[i]
    if n_disc * n_cone == 1:
        n, limited = diffract(axes, inside, absorbed, thickness, seen, lattice, potential, choice, room)
        values = np.empty((n_thick, 1, n), np.float32)
        values[:, 0, :] = room.intensity[:n_thick, :n]
        return room.beams.reflection[:n].copy(), values, limited
    total = np.zeros((n_thick, n_disc, lattice.intensity.shape[0]), np.float32)
    found = np.zeros(lattice.intensity.shape[0], np.bool_)
    part, limited = np.float32(1.0 / n_cone), False
    for d in range(n_disc):
        ux, uy = tilt_of(d, crystals.rings[i], crystals.disc[i])
        for c in range(n_cone):
            turn, length = 2.0 * math.pi * c / n_cone, k * math.sin(crystals.angle[i])
            turned = tilted_axes(axes, ux + length * math.cos(turn), uy + length * math.sin(turn), k)
            n, few = diffract(turned, inside, absorbed, thickness, seen, lattice, potential, choice, room)
            limited = limited or few
            for j in range(n):
                place = room.beams.reflection[j]
                found[place] = True
                for t in range(n_thick):
                    total[t, d, place] += part * room.intensity[t, j]
    which = np.flatnonzero(found)
    return which, total[:, :, which], limited
