"""Spots of one pattern: Ewald sphere, relrod and precession (docs/physics.md §1, §4, §5)."""

from dataclasses import dataclass

import numpy as np
from diffsims.utils import shape_factor_models
from orix.quaternion import Rotation
from orix.vector import Vector3d
from scipy.constants import c, e, h, m_e

from tests.oracles.structure_factor import Reflections

_SHAPE_FACTORS = {
    "atanc": shape_factor_models.atanc,
    "linear": shape_factor_models.linear,
    "sin2c": shape_factor_models.sin2c,
    "sinc": shape_factor_models.sinc,
}


@dataclass(frozen=True, slots=True)
class Spots:
    """Spots of one pattern: in-plane scattering vector (Å⁻¹) and intensity, each (m,)."""

    gx: np.ndarray
    gy: np.ndarray
    intensity: np.ndarray


def wavelength_angstrom(beam_energy_kv: float) -> float:
    """Return λ = h / √(2 m₀ e V (1 + eV / 2 m₀c²)) in Å."""
    ev = e * beam_energy_kv * 1e3
    return 1e10 * h / np.sqrt(2 * m_e * ev * (1 + ev / (2 * m_e * c**2)))


def excitation_error(g_lab: np.ndarray, beam_energy_kv: float) -> np.ndarray:
    """Return s_g = (k - √(k² - g_x² - g_y²)) - g_z in Å⁻¹, the beam along z."""
    k = 1 / wavelength_angstrom(beam_energy_kv)
    gx, gy, gz = g_lab.T
    return (k - np.sqrt(k**2 - gx**2 - gy**2)) - gz


def shape(s: np.ndarray, relrod_width: float, model: str = "lorentzian") -> np.ndarray:
    """Return the shape factor of excitation errors ``s`` for a relrod width in Å⁻¹."""
    if model == "lorentzian":
        return 1 / (1 + (np.pi * s / relrod_width) ** 2)
    if model == "binary":
        return np.ones_like(s)
    return _SHAPE_FACTORS[model](s, relrod_width)


def spots(
    reflections: Reflections,
    rotation: Rotation,
    *,
    beam_energy_kv: float = 200,
    max_excitation_error: float = 0.02,
    relrod_width: float = 0.02,
    shape_factor: str = "lorentzian",
    precession_angle_deg: float = 0.0,
) -> Spots:
    """Return the spots of one orientation, g_lab = ~R g_crystal (R takes sample to crystal, as in orix).

    With precession: diffsims' Lorentzian average (Palatinus et al. 2019, eq. 10), unscaled, for the
    reflections between the extreme positions of the precessing sphere.
    """
    g_lab = (~rotation * Vector3d(reflections.g)).data.reshape(-1, 3)
    s = excitation_error(g_lab, beam_energy_kv)
    if precession_angle_deg == 0:
        excited = np.abs(s) <= max_excitation_error
        weight = shape(s[excited], relrod_width, shape_factor)
    else:
        excited = _crossed_by_precessing_sphere(g_lab, beam_energy_kv, max_excitation_error, precession_angle_deg)
        weight = shape_factor_models.lorentzian_precession(
            s[excited],
            relrod_width,
            np.hypot(g_lab[excited, 0], g_lab[excited, 1]),
            np.deg2rad(precession_angle_deg),
        )
    return Spots(g_lab[excited, 0], g_lab[excited, 1], reflections.intensity[excited] * weight)


def _crossed_by_precessing_sphere(
    g_lab: np.ndarray, beam_energy_kv: float, max_excitation_error: float, angle_deg: float
) -> np.ndarray:
    """Tell which reflections lie within s_max of the band between the two extremes of the tilted sphere."""
    k = 1 / wavelength_angstrom(beam_energy_kv)
    r = np.hypot(g_lab[:, 0], g_lab[:, 1])
    centre_z = k * np.cos(np.deg2rad(angle_deg))
    centre_r = k * np.sin(np.deg2rad(angle_deg))
    highest = centre_z - np.sqrt(k**2 - (r + centre_r) ** 2)
    lowest = centre_z - np.sqrt(k**2 - (r - centre_r) ** 2)
    z = g_lab[:, 2]
    return (z - max_excitation_error <= highest) & (z + max_excitation_error >= lowest)
