"""Beam directions in the crystal, brought into the sector of its point group, and what a library holds for them.

An orientation turns the sample's frame into the crystal's, so that the beam runs along d = R ẑ in the crystal. An
operation S of the point group brings d into the sector; beams then leave the crystal as for the direction S d, with
S⁻¹ g in place of g.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.profile.pattern import rotation_matrix, turned_axes
from difsims_core.kernels.spots.ewald import sphere_height


class HeldSpots(NamedTuple):
    """The spots of a library, those of one member after those of another.

    Attributes
    ----------
    start : (k + 1,) int64
        Spots of member ``i`` are ``start[i]:start[i + 1]``.
    reflection : (n,) int32
        Number of the reflection in the list of its phase.
    intensity : (n, t) float32
        For each thickness.
    """

    start: np.ndarray
    reflection: np.ndarray
    intensity: np.ndarray


@kernel
def into_sector(quaternions, operations, towards, which, directions):
    """Fill ``which`` (n,) with the operation that brings each beam direction into the sector, ``directions`` with it.

    Parameters
    ----------
    quaternions
        (n, 4) orientations, crystal ← sample.
    operations
        (m, 3, 3) orthogonal matrices S of the point group.
    towards
        (m, 3) S⁻¹ v, v a vector inside the sector, which is where d · v exceeds every other d · S⁻¹ v.
    which, directions
        (n,) int64 and (n, 3) float64: the first S for which S d · v is largest, and S d.
    """
    for i in range(quaternions.shape[0]):
        a, b, c, d = quaternions[i, 0], quaternions[i, 1], quaternions[i, 2], quaternions[i, 3]
        along = rotation_matrix(a, b, c, d)[2]
        best, found = -2.0, 0
        for s in range(towards.shape[0]):
            value = along[0] * towards[s, 0] + along[1] * towards[s, 1] + along[2] * towards[s, 2]
            if value > best:
                best, found = value, s
        which[i] = found
        for row in range(3):
            turned = 0.0
            for column in range(3):
                turned += operations[found, row, column] * along[column]
            directions[i, row] = turned


@kernel
def turn_beam(quaternions, operations, which, members, out):
    """Fill ``out`` (n, 4) with orientations turned by as little as brings the beam onto a member of the sector.

    Parameters
    ----------
    quaternions, operations
        As `into_sector` has them.
    which
        (n,) operation of each.
    members
        (n, 3) direction in the sector that each is to have; in the crystal the beam then runs along S⁻¹ of it.
    out
        (n, 4) unit quaternions.
    """
    for i in range(quaternions.shape[0]):
        a, b, c, d = quaternions[i, 0], quaternions[i, 1], quaternions[i, 2], quaternions[i, 3]
        old = rotation_matrix(a, b, c, d)[2]
        s, m = operations[which[i]], members[i]
        x = s[0, 0] * m[0] + s[1, 0] * m[1] + s[2, 0] * m[2]
        y = s[0, 1] * m[0] + s[1, 1] * m[1] + s[2, 1] * m[2]
        z = s[0, 2] * m[0] + s[1, 2] * m[1] + s[2, 2] * m[2]
        p = 1.0 + old[0] * x + old[1] * y + old[2] * z
        q, r, t = old[1] * z - old[2] * y, old[2] * x - old[0] * z, old[0] * y - old[1] * x
        e = p * a - q * b - r * c - t * d
        f = p * b + q * a + r * d - t * c
        g = p * c - q * d + r * a + t * b
        h = p * d + q * c - r * b + t * a
        norm = math.sqrt(e * e + f * f + g * g + h * h)
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = e / norm, f / norm, g / norm, h / norm


@kernel
def take_members(held, equivalent, member, which, level, orientation, scale, reach, hkl, axes, k, found):
    """Write the spots that a library holds for the nearest member of each crystal, turned as the crystal is.

    Parameters
    ----------
    held
        ``HeldSpots``.
    equivalent
        (m, r) int32: the reflection S⁻¹ g of each operation S and reflection g; −1 where the list ends before it.
    member, which, level
        (n,) member of each crystal, operation that brings its beam there, and number of its thickness.
    orientation, scale, reach
        (n, 4) quaternions, (n,) lattice scales, and (n,) largest distance from the centre that counts, Å⁻¹.
    hkl
        (r, 3) int16 indices of the reflections.
    axes
        (3, 3) reciprocal axes a*, b*, c* as rows, unscaled, Å⁻¹.
    k
        1/λ, Å⁻¹.
    found
        ``GivenSpots`` with room for all; its ``start`` is filled too, and discs are left alone.
    """
    at = 0
    for i in range(member.shape[0]):
        found.start[i] = at
        turned = turned_axes(orientation[i], axes, scale[i])
        turn, t, far = equivalent[which[i]], level[i], reach[i] * reach[i]
        for j in range(held.start[member[i]], held.start[member[i] + 1]):
            r = turn[held.reflection[j]]
            h0, h1, h2 = float(hkl[r, 0]), float(hkl[r, 1]), float(hkl[r, 2])
            gx = h0 * turned[0, 0] + h1 * turned[1, 0] + h2 * turned[2, 0]
            gy = h0 * turned[0, 1] + h1 * turned[1, 1] + h2 * turned[2, 1]
            rho2 = gx * gx + gy * gy
            if r < 0 or rho2 > far:
                continue
            found.x[at], found.y[at], found.reflection[at] = gx, gy, r
            gz = h0 * turned[0, 2] + h1 * turned[1, 2] + h2 * turned[2, 2]
            found.s[at] = sphere_height(rho2, k) - gz
            found.intensity[at] = held.intensity[j, t]
            at += 1
    found.start[member.shape[0]] = at
