"""Kinematical structure factors by explicit summation over the atoms of a cell (docs/physics.md §3).

F(hkl) = Σ_j occ_j f_j(|g|) exp(-B_j |g|²/4) exp(2πi h·x_j), with the electron scattering factors of
Lobato & Van Dyck (2014), f(g) = Σ_n a_n (2 + b_n g²) / (1 + b_n g²)², a and b from diffsims' table.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from diffsims.utils.atomic_scattering_params import ATOMIC_SCATTERING_PARAMS
from diffsims.utils.lobato_scattering_params import ATOMIC_SCATTERING_PARAMS_LOBATO
from orix.crystal_map import Phase


@dataclass(frozen=True, slots=True)
class Reflections:
    """Reflections of a phase.

    Attributes
    ----------
    hkl : (m, 3) int
    g : (m, 3) float
        Reciprocal lattice vectors in the orix crystal frame (e1 || a, e3 || c*), Å⁻¹.
    intensity : (m,) float
        |F|², Å².
    """

    hkl: np.ndarray
    g: np.ndarray
    intensity: np.ndarray


def reflections(
    phase: Phase,
    q_max_per_angstrom: float,
    lattice_scale: float = 1.0,
    debye_waller_b: dict[str, float] | None = None,
) -> Reflections:
    """Return all reflections with 0 < |g| <= q_max of the cell scaled by ``lattice_scale``.

    ``debye_waller_b`` maps element symbols to B in Å²; elements left out have B = 0.
    """
    hkl, g = reciprocal_lattice(phase, q_max_per_angstrom, lattice_scale)
    g_squared = np.sum(g**2, axis=1)
    factor = np.zeros(len(hkl), dtype=complex)
    for atom, position in zip(phase.structure, fractional_positions(phase), strict=True):
        element = element_symbol(atom.element)
        b = (debye_waller_b or {}).get(element, 0.0)
        damping = np.exp(-b * g_squared / 4)
        wave = np.exp(2j * np.pi * (hkl @ position))
        factor += atom.occupancy * lobato(element, np.sqrt(g_squared)) * damping * wave
    return Reflections(hkl, g, np.abs(factor) ** 2)


def intensity_of_atoms(phase: Phase, hkl: np.ndarray, g: np.ndarray, b: np.ndarray, parametrisation: str) -> np.ndarray:
    """Return |F|² (m,) at lengths ``g`` (m,), Å⁻¹, atom after atom, with a B of each, Å²; ``lobato`` or ``xtables``."""
    factor = {"lobato": lobato, "xtables": xtables}[parametrisation]
    total = np.zeros(len(hkl), dtype=complex)
    for atom, position, b_of_atom in zip(phase.structure, fractional_positions(phase), b, strict=True):
        wave = np.exp(2j * np.pi * (hkl @ position))
        total += atom.occupancy * factor(atom.element, g) * np.exp(-b_of_atom * g**2 / 4) * wave
    return np.abs(total) ** 2


def reciprocal_lattice(
    phase: Phase, q_max_per_angstrom: float, lattice_scale: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return (hkl, g) of every lattice point with 0 < |g| <= q_max.

    |h| <= |a| |g| bounds the search, because h = a·g.
    """
    lattice = phase.structure.lattice
    bounds = [int(length * lattice_scale * q_max_per_angstrom) + 1 for length in lattice.abcABG()[:3]]
    ranges = [range(-bound, bound + 1) for bound in bounds]
    hkl = np.array(list(itertools.product(*ranges)))
    reciprocal_rows = np.linalg.inv(lattice.base * lattice_scale).T
    g = hkl @ reciprocal_rows
    length = np.linalg.norm(g, axis=1)
    keep = (length > 0) & (length <= q_max_per_angstrom) & np.any(hkl != 0, axis=1)
    return hkl[keep], g[keep]


def fractional_positions(phase: Phase) -> np.ndarray:
    """Return the crystallographic fractional coordinates of the atoms of an orix phase, (n, 3).

    orix turns the lattice to e1 || a, e3 || c* but leaves the atoms where diffpy's orientation of the
    same cell put them in space. So ``atom.xyz`` of a phase are *not* fractional coordinates unless the
    two orientations agree (they differ for hexagonal cells). The way back is through space:
    cartesian = xyz · base, fractional = cartesian · stdbase⁻¹.
    """
    lattice = phase.structure.lattice
    xyz = np.array([atom.xyz for atom in phase.structure])
    return xyz @ lattice.base @ np.linalg.inv(lattice.stdbase)


def lobato(element: str, g: np.ndarray) -> np.ndarray:
    """Return the electron scattering factor in Å at ``g`` in Å⁻¹."""
    g_squared = np.asarray(g, dtype=float) ** 2
    total = np.zeros_like(g_squared)
    for a, b in ATOMIC_SCATTERING_PARAMS_LOBATO[element]:
        total += a * (2 + b * g_squared) / (1 + b * g_squared) ** 2
    return total


def xtables(element: str, g: np.ndarray) -> np.ndarray:
    """Return the electron scattering factor of the International Tables, Σ a exp(−b g²/4), in Å."""
    return np.sum([a * np.exp(-b * g**2 / 4) for a, b in ATOMIC_SCATTERING_PARAMS[element]], axis=0)


def element_symbol(type_symbol: str) -> str:
    """Return the bare element of a CIF type symbol such as ``Pb2+``."""
    return type_symbol.rstrip("+-0123456789")
