"""Absorptive scattering factors: what thermal diffuse scattering takes out of the beams (docs/physics.md §11).

An electron that an atom scatters while exciting a phonon is lost to the spots. For atoms that vibrate on their own
(Einstein's model), with f exp(−B q²/4) what is left of an atom on average, the loss is an imaginary potential
U′_g = γ F′_g / (πV), F′_g = Σ occ f′(|g|) exp(2πi g·x), with

    f′(g) = (γλ/2) ∫ d²q f(|q|) f(|q − g|) [exp(−B g²/4) − exp(−B (q² + |q − g|²)/4)].

The prefactor is that of the optical theorem: a beam loses 2πU′₀/K of itself per length, which is the cross-section
(γλ)² ∫ d²q f² [1 − exp(−B q²/2)] of all atoms in a volume. Here f′ has its Debye–Waller factor in it, as f exp(−B g²/4)
has; the tables of Bird & King leave exp(−B g²/4) out, so theirs is f′ exp(B g²/4).

References
----------
C. R. Hall & P. B. Hirsch, Proc. R. Soc. A 286 (1965) 158; D. M. Bird & Q. A. King, Acta Cryst. A46 (1990) 202, eq. 6;
A. Weickenmeier & H. Kohl, Acta Cryst. A47 (1991) 590.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

from difsims_core.crystal.scattering_factors import scattering_factors
from difsims_core.units import electron_wavelength_angstrom, relativistic_factor

_LENGTHS = 96  # at which the integral is taken; denser towards zero, where factors fall fast
_RADII = 40
_ANGLES = 12


def absorptive_factors(
    lengths: np.ndarray, coefficients: np.ndarray, parametrisation: str, b: np.ndarray, beam_energy_kv: float
) -> np.ndarray:
    """Return f′ of each kind of atom, Å, (n_kinds, m), with its Debye–Waller factor in it.

    The integral is over the plane, as far as the diameter of the Ewald sphere: for g = 0 that is the integral over the
    sphere, and elsewhere both agree to 10⁻³ of f′(0) from 20 kV on.

    Parameters
    ----------
    lengths
        (m,) |g|, Å⁻¹.
    coefficients
        (n_kinds, 5, 2) pairs (a, b) of their elastic factors.
    parametrisation
        Of these: ``lobato`` or ``xtables``.
    b
        (n_kinds,) Debye–Waller B, Å². At rest, B = 0, nothing is absorbed.
    beam_energy_kv
        kV.
    """
    nodes = max(float(np.max(lengths)), 1.0) * np.linspace(0, 1, _LENGTHS) ** 2
    wavelength = electron_wavelength_angstrom(beam_energy_kv)
    nearer, farther, area = _plane(nodes, 2 / wavelength)
    scale = relativistic_factor(beam_energy_kv) * wavelength / 2
    factors = np.empty((len(coefficients), len(lengths)))
    for kind, (pairs, b_kind) in enumerate(zip(coefficients, b, strict=True)):
        product = _elastic(nearer, pairs, parametrisation) * _elastic(farther, pairs, parametrisation)
        left = np.exp(-b_kind / 4 * nodes**2)[:, None, None] - np.exp(-b_kind / 4 * (nearer + farther))
        values = scale * np.sum(area * product * left, axis=(1, 2))
        factors[kind] = CubicSpline(nodes, values)(lengths)
    return factors


def _elastic(squared: np.ndarray, pairs: np.ndarray, parametrisation: str) -> np.ndarray:
    return scattering_factors(squared.ravel(), pairs[None], parametrisation).reshape(squared.shape)


def _plane(g: np.ndarray, largest: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return q², |q − g|² and d²q at points of the plane, (n_g, n_radii, n_angles), for each length of g.

    Elliptic coordinates with foci at 0 and g, where the factors are sharp: half the sum of the two distances is
    √(t² + (g/2)²), half their difference (g/2) cos v. They are polar ones at g = 0.
    """
    x, weight = np.polynomial.legendre.leggauss(_RADII)
    end = largest / (largest + 1)
    x, weight = end / 2 * (x + 1), end / 2 * weight
    t = (x / (1 - x))[:, None]
    step = (weight / (1 - x) ** 2)[:, None]
    cosine = np.cos((np.arange(_ANGLES) + 0.5) * np.pi / _ANGLES)
    half = g[:, None, None] / 2
    mean = np.sqrt(t**2 + half**2)
    area = (mean**2 - (half * cosine) ** 2) / mean * step * 2 * np.pi / _ANGLES
    return (mean + half * cosine) ** 2, (mean - half * cosine) ** 2, area
