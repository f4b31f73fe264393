"""Directions of an incident beam that converges or precesses (docs/physics.md §11)."""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel


@kernel(inline=True)
def n_tilts(rings):
    """Return the number of directions in a disc: its middle, and 6 r of them in the r-th ring."""
    return 1 + 3 * rings * (rings + 1)


@kernel
def tilt_of(number, rings, radius):
    """Return the transverse component (u_x, u_y) of one of the directions that fill a disc of a radius, both Å⁻¹."""
    if number == 0:
        return 0.0, 0.0
    ring = 1
    while number >= n_tilts(ring):
        ring += 1
    place = number - n_tilts(ring - 1)
    length, turn = radius * ring / (rings + 0.5), 2.0 * math.pi * place / (6 * ring)
    return length * math.cos(turn), length * math.sin(turn)


@kernel
def tilted_axes(axes, ux, uy, k):
    """Return (3, 3) axes as rows, turned so that a beam with the transverse component u runs along −z.

    The turn is the smallest one. What the beam hits is taken to be perpendicular to it.
    """
    x, y = -ux / k, -uy / k
    z = math.sqrt(1.0 - x * x - y * y)
    turned = np.empty((3, 3))
    for i in range(3):  # v + a × v + a × (a × v) / (1 + z), a = (x, y, z) × ẑ = (y, −x, 0)
        p, q, r = axes[i, 0], axes[i, 1], axes[i, 2]
        c0, c1, c2 = -x * r, -y * r, y * q + x * p
        turned[i, 0] = p + c0 - x * c2 / (1.0 + z)
        turned[i, 1] = q + c1 - y * c2 / (1.0 + z)
        turned[i, 2] = r + c2 + (y * c1 + x * c0) / (1.0 + z)
    return turned
