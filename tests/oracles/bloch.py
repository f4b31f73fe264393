"""Dynamical diffraction by the dense eigenproblem of Bloch waves, in double precision (docs/physics.md §11).

Every beam with |g| ≤ g_max and |s_g| ≤ s_max takes part; none is weak, nothing is perturbed. A beam's wave in the
crystal is the one on the sphere, κ_g = √(K² − |(K + g)_t|²) along the normal of the slab, so

    A_gg = κ_g − (K + g)_n,    A_gh = U_{g−h} / 2√(κ_g κ_h),    φ(t) = exp(2πi A t) φ(0),

with φ in flux, Σ|φ_g|² = 1. For beams near the sphere κ_g is (K + g)_n, and this is the inclined surface of §11. For
those of Laue zones of higher order, far from it, §11's quotient by (K + g)_n instead of the mean of both would do harm:
what a zone above the sphere adds to the others, one below takes away again, all but a part of that order.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from scipy.constants import c, e, m_e
from scipy.sparse.csgraph import connected_components

from tests.oracles.ewald import wavelength_angstrom
from tests.oracles.structure_factor import lobato

Factor = Callable[[str, np.ndarray, float], np.ndarray]  # of an element at |g| with a B, Å

_DECOUPLED = 1e-10  # Å⁻²; U of a centred cell between its sublattices of beams is the rounding of zero


@dataclass(frozen=True, slots=True)
class Atoms:
    """The atoms of one cell.

    Attributes
    ----------
    base : (3, 3)
        a, b, c as rows, Å, in any Cartesian frame of the crystal.
    elements : tuple of n str
    positions : (n, 3)
        Fractional coordinates.
    occupancies, b : (n,)
        Occupancy and Debye–Waller B, Å², of each atom.
    """

    base: np.ndarray
    elements: tuple[str, ...]
    positions: np.ndarray
    occupancies: np.ndarray
    b: np.ndarray

    @property
    def reciprocal(self) -> np.ndarray:
        """a*, b*, c* as rows, without 2π."""
        return np.linalg.inv(self.base).T


@dataclass(frozen=True, slots=True)
class Diffracted:
    """The beams of one crystal in one orientation.

    Attributes
    ----------
    hkl : (m, 3) int
        The direct beam comes first.
    g : (m, 3)
        In the laboratory, Å⁻¹; the electrons travel along −z (docs/physics.md §4).
    wave : (n_thicknesses, m) complex
    """

    hkl: np.ndarray
    g: np.ndarray
    wave: np.ndarray

    @property
    def intensity(self) -> np.ndarray:
        return np.abs(self.wave) ** 2


def elastic(element: str, length: np.ndarray, b: float) -> np.ndarray:
    """Return f exp(−B g²/4)."""
    return lobato(element, length) * np.exp(-b * length**2 / 4)


def potential(atoms: Atoms, hkl: np.ndarray, beam_energy_kv: float, factor: Factor = elastic) -> np.ndarray:
    """Return U_g = γ F_g / (π V), Å⁻², at indices (..., 3)."""
    flat = hkl.reshape(-1, 3)
    least, extent = flat.min(axis=0), tuple(np.ptp(flat, axis=0) + 1)
    code, place = np.unique(np.ravel_multi_index(tuple((flat - least).T), extent), return_inverse=True)
    few = np.column_stack(np.unravel_index(code, extent)) + least
    length = np.linalg.norm(few @ atoms.reciprocal, axis=1)
    total = np.zeros(len(few), dtype=complex)
    for element, position, occupancy, b in zip(
        atoms.elements, atoms.positions, atoms.occupancies, atoms.b, strict=True
    ):
        total += occupancy * factor(element, length, b) * np.exp(2j * np.pi * (few @ position))
    gamma = 1 + e * beam_energy_kv * 1e3 / (m_e * c**2)
    return (gamma / (np.pi * abs(np.linalg.det(atoms.base))) * total)[place].reshape(hkl.shape[:-1])


def beams(atoms: Atoms, matrix: np.ndarray, k: float, g_max: float, s_max: float) -> tuple[np.ndarray, np.ndarray]:
    """Return hkl and g (m, 3) of the lattice points within reach, the origin first."""
    largest = (np.linalg.norm(atoms.base, axis=1) * g_max).astype(int) + 1
    hkl = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in largest), indexing="ij"), axis=-1).reshape(-1, 3)
    hkl = hkl[np.argsort(np.any(hkl != 0, axis=1), kind="stable")]
    hkl = hkl[np.linalg.norm(hkl @ atoms.reciprocal, axis=1) <= min(g_max, k)]
    g = hkl @ atoms.reciprocal @ matrix.T
    s = k - np.sqrt(k**2 - g[:, 0] ** 2 - g[:, 1] ** 2) - g[:, 2]
    return hkl[np.abs(s) <= s_max], g[np.abs(s) <= s_max]


def diffract(
    atoms: Atoms,
    matrix: np.ndarray,
    thicknesses_angstrom: np.ndarray,
    *,
    beam_energy_kv: float = 200.0,
    g_max: float = 2.5,
    s_max: float = 0.1,
    normal: np.ndarray = (0.0, 0.0, 1.0),
    sign: int = 1,
    absorptive: Factor | None = None,
) -> Diffracted:
    """Return the beams behind slabs of each thickness.

    Parameters
    ----------
    matrix
        (3, 3), g_lab = matrix · g_crystal.
    normal
        Of the slab, in the laboratory, on the side that the electrons come from.
    sign
        −1 takes every excitation error the wrong way round.
    absorptive
        f′ of an element with its Debye–Waller factor; U′ is made of it as U is of f, and U + iU′ acts.
    """
    k = np.array([0, 0, -1 / wavelength_angstrom(beam_energy_kv)])
    hkl, g = beams(atoms, matrix, -k[2], g_max, s_max)
    u = potential(atoms, hkl[:, None] - hkl, beam_energy_kv)
    _, part = connected_components(np.abs(u) > _DECOUPLED)
    hkl, g, u = hkl[part == part[0]], g[part == part[0]], u[np.ix_(part == part[0], part == part[0])]

    n = -np.asarray(normal) / np.linalg.norm(normal)
    tangential = (k + g) - np.outer((k + g) @ n, n)
    squared = k @ k + u[0, 0].real  # K², the mean inner potential in it
    kappa = np.sqrt(squared - np.sum(tangential**2, axis=1))
    matrix_a = u / (2 * np.sqrt(np.outer(kappa, kappa)))
    np.fill_diagonal(matrix_a, sign * (kappa - kappa[0] - g @ n))

    if absorptive is None:
        values, vectors = scipy.linalg.eigh(matrix_a)
        start = vectors[0].conj()
    else:
        u_absorbed = potential(atoms, hkl[:, None] - hkl, beam_energy_kv, absorptive)
        values, vectors = scipy.linalg.eig(matrix_a + 1j * u_absorbed / (2 * np.sqrt(np.outer(kappa, kappa))))
        start = np.linalg.solve(vectors, np.eye(len(hkl))[0])
    return Diffracted(
        hkl, g, np.array([vectors @ (np.exp(2j * np.pi * values * t) * start) for t in thicknesses_angstrom])
    )
