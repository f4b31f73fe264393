"""From candidates to excited reflections with their intensities (docs/physics.md §§3–4)."""

from __future__ import annotations

import math

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.spots.ewald import (
    LORENTZIAN,
    crossed_by_cone,
    lorentzian_precession,
    shape_factor,
    sphere_height,
)

_GOLDEN_ANGLE = math.pi * (3.0 - math.sqrt(5.0))


@kernel
def excitation_errors(spots, n, k):
    """Fill ``spots.s`` of ``n`` candidates."""
    for i in range(n):
        spots.s[i] = sphere_height(spots.x[i] * spots.x[i] + spots.y[i] * spots.y[i], k) - spots.z[i]


@kernel
def lorentzian_factors(spots, n, s_max, width):
    """Fill ``spots.factor`` with Lorentzians, −1 where not excited; a loop of its own, so that it is vectorised."""
    per_width = math.pi / width
    for i in range(n):
        s = spots.s[i]
        x = per_width * s
        value = 1.0 / (1.0 + x * x)
        spots.factor[i] = value if abs(s) <= s_max else -1.0


@kernel
def other_factors(spots, n, beam, width, angle):
    """Fill ``spots.factor`` with any other shape factor, or with precession; −1 where not excited."""
    for i in range(n):
        s = spots.s[i]
        if angle > 0.0:
            rho = math.sqrt(spots.x[i] * spots.x[i] + spots.y[i] * spots.y[i])
            excited = crossed_by_cone(rho, spots.z[i], beam.k, beam.s_max, angle)
            spots.factor[i] = lorentzian_precession(s, width, rho, angle) if excited else -1.0
        else:
            spots.factor[i] = shape_factor(beam.model, s, width) if abs(s) <= beam.s_max else -1.0


@kernel
def disc_factors(spots, n, beam, width, angle, radius, points):
    """Fill ``spots.factor`` with the mean shape factor over a convergence disc, −1 where none of it is excited."""
    for i in range(n):
        total = 0.0
        for p in range(points):
            total += point_factor(spots, i, p, points, radius, beam, width, angle)
        spots.factor[i] = total / points if total > 0.0 else -1.0


@kernel
def point_of_disc(p, points, radius):
    """Return the transverse component (u_x, u_y) of one of the beams of a convergent cone: a sunflower of points."""
    length = radius * math.sqrt((p + 0.5) / points)
    return length * math.cos(p * _GOLDEN_ANGLE), length * math.sin(p * _GOLDEN_ANGLE)


@kernel
def point_factor(spots, i, p, points, radius, beam, width, angle):
    """Return the shape factor of reflection ``i`` for one of the beams of a convergent cone.

    A beam of transverse component u excites with s(u) = h(|g + u|²) − h(u²) − g_z, h the height of the Ewald sphere.
    """
    ux, uy = point_of_disc(p, points, radius)
    gx, gy = spots.x[i] + ux, spots.y[i] + uy
    rho2 = gx * gx + gy * gy
    s = sphere_height(rho2, beam.k) - sphere_height(ux * ux + uy * uy, beam.k) - spots.z[i]
    if angle > 0.0:
        rho, z = math.sqrt(rho2), spots.z[i] + sphere_height(ux * ux + uy * uy, beam.k)
        return (
            lorentzian_precession(s, width, rho, angle) if crossed_by_cone(rho, z, beam.k, beam.s_max, angle) else 0.0
        )
    return shape_factor(beam.model, s, width) if abs(s) <= beam.s_max else 0.0


@kernel
def keep_excited(spots, n, lattice, scale_u, weight):
    """Move the excited candidates to the front, with intensities weight · |F|² · shape factor; return how many."""
    degree = lattice.intensity.shape[1]
    kept = 0
    for i in range(n):
        place = spots.reflection[i]
        squared = 0.0
        for d in range(degree - 1, -1, -1):
            squared = squared * scale_u + lattice.intensity[place, d]
        spots.x[kept], spots.y[kept], spots.z[kept] = spots.x[i], spots.y[i], spots.z[i]
        spots.s[kept], spots.reflection[kept] = spots.s[i], place
        factor = spots.factor[i]
        spots.factor[kept] = factor
        spots.intensity[kept] = weight * max(squared, 0.0) * factor
        kept += (factor >= 0.0) & (lattice.intensity[place, 0] != 0.0)
    return kept


@kernel
def excite(spots, n, lattice, beam, width, angle, disc, points, widened, scale_u, weight):
    """Keep the candidates that are excited, with their intensities; return how many there are.

    Parameters
    ----------
    spots, n
        ``SpotBuffer`` and the number of candidates in it.
    lattice, beam
        ``Lattice`` and ``Beam``.
    width, angle
        Relrod width, Å⁻¹, and precession angle, radians.
    disc, points, widened
        Radius of the convergence discs, Å⁻¹, points of one, and the largest excitation error at which part of a disc
        may be excited.
    scale_u, weight
        Lattice scale as the polynomials of |F|² take it, and a factor on all intensities.
    """
    excitation_errors(spots, n, beam.k)
    if disc > 0.0:
        kept = 0
        for i in range(n):
            spots.x[kept], spots.y[kept], spots.z[kept] = spots.x[i], spots.y[i], spots.z[i]
            spots.s[kept], spots.reflection[kept] = spots.s[i], spots.reflection[i]
            if angle > 0.0:
                rho = math.sqrt(spots.x[i] * spots.x[i] + spots.y[i] * spots.y[i])
                kept += crossed_by_cone(rho, spots.z[i], beam.k, widened, angle)
            else:
                kept += abs(spots.s[i]) <= widened
        n = kept
        disc_factors(spots, n, beam, width, angle, disc, points)
    elif beam.model == LORENTZIAN and angle == 0.0:
        lorentzian_factors(spots, n, beam.s_max, width)
    else:
        other_factors(spots, n, beam, width, angle)
    return keep_excited(spots, n, lattice, scale_u, weight)
