"""Excitation error and shape factor of a reflection (docs/physics.md §4).

Vectors are in the laboratory frame, Å⁻¹, beam along z.
"""

from __future__ import annotations

import math

from difsims_core.kernels.compile import kernel

LORENTZIAN, LINEAR, SINC, SIN2C, ATANC, BINARY, SLAB = range(7)
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
    """Return the shape factor of excitation error ``s`` for a relrod of ``width``, both Å⁻¹.

    diffsims' definitions; SLAB is a plane-parallel crystal of thickness t = 1/width, sin²(π s t) / (π s t)²
    (Hirsch et al., Electron Microscopy of Thin Crystals, 1965, §4.5).
    """
    if model == LORENTZIAN:
        x = math.pi * s / width
        return 1.0 / (1.0 + x * x)
    if model == BINARY:
        return 1.0
    if model == LINEAR:
        return max(0.0, 1.0 - abs(s) / width)
    x = math.pi * s / width
    if model != SLAB:
        x *= _MINIMA
    if x == 0.0:
        return 1.0
    if model == ATANC:
        return math.atan(x) / x
    ratio = abs(math.sin(x) / x)
    return ratio if model == SINC else ratio * ratio


@kernel(inline=True)
def crossed_by_cone(rho, z, k, s_max, angle):
    """Return whether a precessing sphere passes within s_max of the reflection at in-plane distance ρ and height z."""
    cone_z, cone_t = k * math.cos(angle), k * math.sin(angle)
    up = cone_z - math.sqrt(k * k - (rho + cone_t) ** 2)
    down = cone_z - math.sqrt(k * k - (rho - cone_t) ** 2)
    return z - s_max <= up and z + s_max >= down


@kernel(inline=True)
def slab(k, s_max, angle, rho_max):
    """Return the lowest and the highest z of an excited reflection with in-plane distance up to rho_max."""
    if angle == 0.0:
        return -s_max, sphere_height(rho_max * rho_max, k) + s_max
    cone_z, cone_t = k * math.cos(angle), k * math.sin(angle)
    return cone_z - k - s_max, cone_z - math.sqrt(k * k - (rho_max + cone_t) ** 2) + s_max
