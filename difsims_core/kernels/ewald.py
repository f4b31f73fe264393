"""Reflections near the Ewald sphere and how strongly they are excited (PHYSICS §4).

Vectors are in the laboratory frame, Å⁻¹, beam along z. A lattice is stored as rows of reflections along its shortest
reciprocal axis: along a row the height above the plane z = 0 is linear in the index, so that the few indices inside
the slab around the sphere follow from one division, and only those are looked at.
"""

from __future__ import annotations

import math

from difsims_core.kernels.compile import kernel

LORENTZIAN, LINEAR, SINC, SIN2C, ATANC, BINARY = range(6)
_MINIMA = 5  # diffsims' default number of the minimum that lies at the width


@kernel(inline=True)
def sphere_height(rho2, k):
    """Return the height k − √(k² − ρ²) of the Ewald sphere above the plane, without cancellation."""
    return rho2 / (k + math.sqrt(k * k - rho2))


@kernel
def lorentzian_precession(s, width, rho, angle):
    """Return the Lorentzian averaged over a precession cone of half-angle ``angle``, radians.

    Palatinus et al., Acta Cryst. B75 (2019) 512, eq. 10. diffsims' function of this name is 2/width times as large;
    here the angle 0 gives the Lorentzian itself.
    """
    sigma = math.pi / width
    u = sigma * sigma * (rho * rho * angle * angle - s * s) + 1.0
    z = math.sqrt(u * u + 4.0 * sigma * sigma * s * s)
    return math.sqrt((u + z) / (2.0 * z * z))


@kernel
def shape_factor(model, s, width):
    """Return the shape factor of excitation error ``s`` for a relrod of ``width``, both Å⁻¹; diffsims' definitions."""
    if model == LORENTZIAN:
        x = math.pi * s / width
        return 1.0 / (1.0 + x * x)
    if model == BINARY:
        return 1.0
    if model == LINEAR:
        return max(0.0, 1.0 - abs(s) / width)
    x = math.pi * _MINIMA * s / width
    if x == 0.0:
        return 1.0
    if model == ATANC:
        return math.atan(x) / x
    ratio = abs(math.sin(x) / x)
    return ratio * ratio if model == SIN2C else ratio


@kernel(inline=True)
def excitation(rho2, z, k, s_max, width, angle, model):
    """Return the shape factor of the reflection at in-plane distance √rho2 and height z, or −1 when not excited."""
    s = sphere_height(rho2, k) - z
    if angle == 0.0:
        return shape_factor(model, s, width) if abs(s) <= s_max else -1.0
    rho = math.sqrt(rho2)
    cone_z, cone_t = k * math.cos(angle), k * math.sin(angle)
    up = cone_z - math.sqrt(k * k - (rho + cone_t) ** 2)
    down = cone_z - math.sqrt(k * k - (rho - cone_t) ** 2)
    crossed = z - s_max <= up and z + s_max >= down
    return lorentzian_precession(s, width, rho, angle) if crossed else -1.0


@kernel(inline=True)
def slab(k, s_max, angle, rho_max):
    """Return the lowest and the highest z of an excited reflection with in-plane distance up to rho_max."""
    if angle == 0.0:
        return -s_max, sphere_height(rho_max * rho_max, k) + s_max
    cone_z, cone_t = k * math.cos(angle), k * math.sin(angle)
    return cone_z - k - s_max, cone_z - math.sqrt(k * k - (rho_max + cone_t) ** 2) + s_max


@kernel(inline=True)
def indices_in_slab(z0, inverse, first, last, bottom, top):
    """Return the range of indices within first … last for which z0 + index / inverse lies in the slab; empty if none.

    A row parallel to the slab has the inverse 0.
    """
    if inverse == 0.0:
        return (first, last) if bottom <= z0 <= top else (0, -1)
    a, b = (bottom - z0) * inverse, (top - z0) * inverse
    if inverse < 0.0:
        a, b = b, a
    if a > last or b < first:
        return 0, -1
    return max(first, int(math.ceil(a))), min(last, int(math.floor(b)))


@kernel
def excited_spots(
    axes, rows, bounds, offsets, intensity, scale_u, k, s_max, width, angle, model, rho_max, half_frame, rim, hits
):
    """Collect the spots of one pattern.

    Parameters
    ----------
    axes
        (3, 3) rotated, scaled reciprocal axes as rows; the last one runs along the rows of reflections.
    rows, bounds, offsets
        (m, 2) first two indices, (m, 2) first and last third index, (m,) place of the first in ``intensity``.
    intensity
        (n_reflections, d) coefficients of |F|² as a polynomial in ``scale_u``, lowest first; zero where extinct.
    scale_u
        Lattice scale mapped to [−1, 1].
    k, s_max, width
        1/λ, largest excitation error, relrod width, Å⁻¹.
    angle
        Precession angle, radians; 0 without precession.
    model
        Shape factor.
    rho_max, half_frame, rim
        Largest in-plane |g|, half the edge of the square detector, and how far beyond the frame's inscribed circle a
        spot still sends intensity into it, Å⁻¹.
    hits
        (max_hits, 3) float64, filled with g_x, g_y and intensity: spots on the detector from the front, those within
        the rim beside it from the back.

    Returns
    -------
    tuple of int
        Number of spots on the detector, and beside it.
    """
    bottom, top = slab(k, s_max, angle, rho_max)
    ax, ay, az = axes[2, 0], axes[2, 1], axes[2, 2]
    inverse = 1.0 / az if abs(az) > 1e-12 else 0.0
    n = beside = 0
    for row in range(rows.shape[0]):
        h, j = rows[row, 0], rows[row, 1]
        x0 = h * axes[0, 0] + j * axes[1, 0]
        y0 = h * axes[0, 1] + j * axes[1, 1]
        z0 = h * axes[0, 2] + j * axes[1, 2]
        first, last = indices_in_slab(z0, inverse, bounds[row, 0], bounds[row, 1], bottom, top)
        for index in range(first, last + 1):
            coefficients = intensity[offsets[row] + index - bounds[row, 0]]
            if coefficients[0] == 0.0:
                continue
            x, y, z = x0 + index * ax, y0 + index * ay, z0 + index * az
            rho2 = x * x + y * y
            outside = abs(x) > half_frame or abs(y) > half_frame
            if rho2 > rho_max * rho_max or (outside and rho2 > (half_frame + rim) ** 2):
                continue
            factor = excitation(rho2, z, k, s_max, width, angle, model)
            if factor < 0.0:
                continue
            squared = 0.0
            for d in range(coefficients.shape[0] - 1, -1, -1):
                squared = squared * scale_u + coefficients[d]
            if outside:
                beside += 1
            place = hits.shape[0] - beside if outside else n
            hits[place, 0], hits[place, 1], hits[place, 2] = x, y, max(squared, 0.0) * factor
            if not outside:
                n += 1
    return n, beside
