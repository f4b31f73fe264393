"""Kinematical diffraction of a crystal slab, on an absolute scale (docs/physics.md §3, §4).

A plane wave of intensity one on a slab of thickness t gives the beam g the intensity
(γ λ t |F_g| / V)² · sinc²(t s_g) in the first Born approximation: F in Å as tabulated (rest mass), γ the relativistic
mass ratio, V the volume of the cell, sinc x = sin(πx) / πx. The product of |F|² at the lattice point and the shape
factor of a continuous slab is itself an approximation: :func:`exact` sums the waves of all atoms where the Ewald
sphere really cuts the rod, which depends on where the slab begins and ends.
"""

import numpy as np
from scipy.constants import c, e, m_e

from tests.oracles.ewald import excitation_error, wavelength_angstrom
from tests.oracles.structure_factor import lobato


def mass_ratio(beam_energy_kv: float) -> float:
    """Return γ = 1 + eV / m₀c²."""
    return 1 + e * beam_energy_kv * 1e3 / (m_e * c**2)


def product(
    f_squared: np.ndarray, s: np.ndarray, thickness_angstrom: float, volume: float, beam_energy_kv: float = 200
) -> np.ndarray:
    """Return the intensities of beams with these |F|² (Å²) and excitation errors (Å⁻¹)."""
    scale = mass_ratio(beam_energy_kv) * wavelength_angstrom(beam_energy_kv) * thickness_angstrom / volume
    return scale**2 * f_squared * np.sinc(thickness_angstrom * s) ** 2


def exact(
    g: np.ndarray, atoms: list[tuple[str, float, float, float]], edges: np.ndarray, cells: int, beam_energy_kv: float
) -> np.ndarray:
    """Return the intensities of beams at in-plane g, (m, 2), from every atom of a slab.

    ``atoms`` are (element, x, y, z) in Å in one orthogonal cell with the edge lengths ``edges``; ``cells`` of them
    follow each other along the beam. The scattering vector ends on the sphere, at the height -ζ = √(k² - g²) - k.
    """
    zeta = excitation_error(np.column_stack([g, np.zeros(len(g))]), beam_energy_kv)
    length = np.sqrt(np.sum(g**2, axis=1) + zeta**2)
    wave = np.zeros(len(g), dtype=complex)
    for element, x, y, z in atoms:
        wave += lobato(element, length) * np.exp(2j * np.pi * (g[:, 0] * x + g[:, 1] * y - zeta * z))
    stack = np.exp(-2j * np.pi * np.outer(zeta * edges[2], np.arange(cells))).sum(axis=1)
    scale = mass_ratio(beam_energy_kv) * wavelength_angstrom(beam_energy_kv) / (edges[0] * edges[1])
    return np.abs(scale * wave * stack) ** 2
