"""A relrod averaged over the cone of a precessing beam (docs/physics.md §4).

The crystal stays and the beam runs round a cone of half-angle α about z. Its Ewald sphere passes through the origin
with the centre at k (sin α cos φ, sin α sin φ, cos α), so that a reflection at (ρ, 0, g_z) is off by
s(φ) = k cos α - √(k² - ρ² + 2 ρ k sin α cos φ - k² sin² α) - g_z along z, the normal of the slab. With
s(φ) = s + ρ α cos φ, s the excitation error of the untilted beam, the average of the Lorentzian has a closed form,
Palatinus et al., Acta Cryst. B75 (2019) 512, eq. 10.
"""

import numpy as np

from tests.oracles.ewald import shape, wavelength_angstrom


def excitation_error_on_cone(
    rho: float, s: np.ndarray, angle: float, azimuth: np.ndarray, beam_energy_kv: float
) -> np.ndarray:
    """Return s(φ), (len(s), len(azimuth)), of reflections at in-plane distance ρ whose untilted error is s."""
    k = 1 / wavelength_angstrom(beam_energy_kv)
    z = (k - np.sqrt(k**2 - rho**2)) - s
    centre_r, centre_z = k * np.sin(angle), k * np.cos(angle)
    distance_squared = rho**2 - 2 * rho * centre_r * np.cos(azimuth) + centre_r**2
    return (centre_z - np.sqrt(k**2 - distance_squared)) - z[:, None]


def cone_average(
    s: np.ndarray, width: float, rho: float, angle: float, beam_energy_kv: float = 200, model: str = "lorentzian"
) -> np.ndarray:
    """Return the mean shape factor over the cone, exact geometry; angle in radians.

    The integrand is smooth and periodic: the midpoint rule converges exponentially.
    """
    azimuth = (np.arange(20_000) + 0.5) * np.pi / 20_000  # the other half mirrors it
    return shape(excitation_error_on_cone(rho, s, angle, azimuth, beam_energy_kv), width, model).mean(axis=1)


def eq_10(s: np.ndarray, width: float, rho: float, angle: float) -> np.ndarray:
    """Return the closed form of the linearised average, from the residue: Re 1 / √((1 + iσs)² + (σρα)²), σ = π/w."""
    sigma = np.pi / width
    return np.real(1 / np.sqrt((1 + 1j * sigma * np.asarray(s)) ** 2 + (sigma * rho * angle) ** 2))
