"""Which reflections may be excited: the few indices of each row of the lattice near the Ewald sphere.

See docs/physics.md §4.

Along a row p + t·a of the lattice, "within s_max below the sphere" and "within s_max above it" are two quadratics in t:
a point is excited when it lies inside the sphere moved down the beam by s_max (the sphere about k ẑ seen from
p + s_max ẑ) and outside the one moved up. In single precision, eight or sixteen rows at a time, with a margin that
covers the rounding; the exact test follows for each candidate.
"""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.spots.ewald import slab

_MARGIN_PER_ANGSTROM = 1e-5  # on s_max: an error of 2k · 10⁻⁵ ≈ 10⁻³ Å⁻² in the quadratics, where rounding makes 10⁻⁵
_INDEX_MARGIN = np.float32(0.002)
_ZERO, _ONE, _TWO = np.float32(0), np.float32(1), np.float32(2)


@kernel(inline=True)
def _roots(a_inverse, b, c, discriminant):
    """Return the two roots of A t² + 2 B t + C, the smaller one first, without cancellation."""
    root = math.sqrt(discriminant if discriminant > _ZERO else _ZERO)
    q = -b - (root if b > _ZERO else -root)
    one, other = q * a_inverse, c / q
    return (one if one < other else other), (other if one < other else one)


@kernel
def ranges_in_shell(axes, lattice, k, s_max, half, low, high):
    """Fill ``low`` and ``high`` (m,) with the range of third indices of each row that may be excited, empty if none.

    Parameters
    ----------
    axes
        (3, 3) turned, scaled reciprocal axes as rows.
    lattice
        ``Lattice``.
    k, s_max
        1/λ and the largest excitation error, Å⁻¹.
    half
        Half the edge of the square in the plane of the detector that counts, Å⁻¹.
    """
    a0, a1, a2 = np.float32(axes[0, 0]), np.float32(axes[0, 1]), np.float32(axes[0, 2])
    b0, b1, b2 = np.float32(axes[1, 0]), np.float32(axes[1, 1]), np.float32(axes[1, 2])
    c0, c1, c2 = np.float32(axes[2, 0]), np.float32(axes[2, 1]), np.float32(axes[2, 2])
    s, radius = np.float32(s_max + _MARGIN_PER_ANGSTROM), np.float32(k)
    square = c0 * c0 + c1 * c1 + c2 * c2
    inverse = _ONE / square
    x_inverse, y_inverse = _ONE / c0, _ONE / c1
    x_half, y_half = abs(np.float32(half) * x_inverse), abs(np.float32(half) * y_inverse)
    h, j, first, last = lattice.h, lattice.j, lattice.low, lattice.high
    for i in range(h.shape[0]):
        x, y, z = h[i] * a0 + j[i] * b0, h[i] * a1 + j[i] * b1, h[i] * a2 + j[i] * b2
        along, length2 = x * c0 + y * c1 + z * c2, x * x + y * y + z * z + s * s

        b, c = along + (s - radius) * c2, length2 + _TWO * (s * z - radius * (z + s))
        discriminant = b * b - square * c
        t1, t2 = _roots(inverse, b, c, discriminant)
        start = t1 if t1 > first[i] else first[i]
        stop = t2 if t2 < last[i] else last[i]
        stop = stop if discriminant >= _ZERO else first[i] - _TWO

        b, c = along - (s + radius) * c2, length2 - _TWO * (s * z + radius * (z - s))
        discriminant = b * b - square * c
        t1, t2 = _roots(inverse, b, c, discriminant)
        t2 = t2 if discriminant > _ZERO else t1
        cut_start = t2 if (start > t1) & (start < t2) else start
        cut_stop = t1 if (stop > t1) & (stop < t2) else stop

        middle = -x * x_inverse
        cut_start = middle - x_half if middle - x_half > cut_start else cut_start
        cut_stop = middle + x_half if middle + x_half < cut_stop else cut_stop
        middle = -y * y_inverse
        cut_start = middle - y_half if middle - y_half > cut_start else cut_start
        cut_stop = middle + y_half if middle + y_half < cut_stop else cut_stop
        low[i], high[i] = math.ceil(cut_start - _INDEX_MARGIN), math.floor(cut_stop + _INDEX_MARGIN)


@kernel
def ranges_in_slab(axes, lattice, k, s_max, angle, rho_max, low, high):
    """As ``ranges_in_shell`` for a precessing sphere: indices whose height lies where the sphere can be at all."""
    bottom, top = slab(k, s_max, angle, rho_max)
    az = axes[2, 2]
    inverse = 1.0 / az if abs(az) > 1e-12 else 0.0
    for i in range(lattice.h.shape[0]):
        z = lattice.h[i] * axes[0, 2] + lattice.j[i] * axes[1, 2]
        low[i], high[i] = lattice.low[i], lattice.high[i]
        if inverse == 0.0:
            if not bottom <= z <= top:
                high[i] = low[i] - _TWO
            continue
        a, b = (bottom - z) * inverse, (top - z) * inverse
        if inverse < 0.0:
            a, b = b, a
        if a > high[i] or b < low[i]:
            high[i] = low[i] - _TWO
        else:
            low[i] = max(low[i], np.float32(math.ceil(a - 1e-6)))
            high[i] = min(high[i], np.float32(math.floor(b + 1e-6)))


@kernel
def expand(axes, lattice, spots):
    """Write the vectors and places of the candidates in the ranges of ``spots``; return their number."""
    low, high, rows = spots.low, spots.high, spots.rows
    n = 0
    for i in range(low.shape[0]):  # without a branch that no processor could predict
        rows[n] = i
        n += high[i] >= low[i]
    ax, ay, az = axes[2, 0], axes[2, 1], axes[2, 2]
    for r in range(n):  # the first index of each row, all rows at once
        i = rows[r]
        h, j, t = float(lattice.h[i]), float(lattice.j[i]), float(low[i])
        spots.x[r] = h * axes[0, 0] + j * axes[1, 0] + t * ax
        spots.y[r] = h * axes[0, 1] + j * axes[1, 1] + t * ay
        spots.z[r] = h * axes[0, 2] + j * axes[1, 2] + t * az
        spots.reflection[r] = lattice.offsets[i] + int(low[i])
    n_rows = n
    for r in range(n_rows):  # most rows have but one
        i = rows[r]
        for more in range(1, int(high[i] - low[i]) + 1):
            spots.x[n], spots.y[n], spots.z[n] = spots.x[r] + more * ax, spots.y[r] + more * ay, spots.z[r] + more * az
            spots.reflection[n] = spots.reflection[r] + more
            n += 1
    return n
