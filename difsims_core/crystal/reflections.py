"""Reflections of a phase and their kinematical structure factors (PHYSICS §3)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from difsims_core.crystal.libraries import Phase, get_atomic_scattering_factors, get_scattering_params_dict
from difsims_core.errors import CrystalError

_log = logging.getLogger(__name__)
_CHUNK = 4096
MOST_B = 100.0  # Å², a displacement of more than 1 Å
MOST_REFLECTIONS = 2e6
EXTINCT = 1e-12  # of the strongest |F|²: below it, an intensity is the rounding of zero


@dataclass(frozen=True, slots=True)
class ReflectionList:
    """Reflections of one phase, symmetry equivalents as separate vectors.

    Attributes
    ----------
    hkl : (m, 3) int64
        Miller indices.
    g : (m, 3) float64
        Reciprocal lattice vectors in the crystal frame of orix, Å⁻¹, of the scaled lattice.
    intensity : (m,) float64
        |F|²; exactly zero where extinct.
    """

    hkl: np.ndarray
    g: np.ndarray
    intensity: np.ndarray


def reflection_list(
    phase: Phase,
    q_max_per_angstrom: float,
    scattering_factors: str = "lobato",
    debye_waller: str | Mapping[str, float] = "none",
    lattice_scale: float = 1.0,
) -> ReflectionList:
    """Return every reflection with 0 < |g| ≤ q_max.

    Parameters
    ----------
    phase
        orix phase with its atoms.
    q_max_per_angstrom
        Largest |g| of the scaled lattice, Å⁻¹.
    scattering_factors
        ``lobato`` or ``xtables``.
    debye_waller
        ``none``, ``from_cif`` or {element: B in Å²}.
    lattice_scale
        Factor on a, b, c; |F|² is evaluated at the scaled |g|.

    Raises
    ------
    CrystalError
        If no reflection lies within q_max, or far too many.
    """
    basis = reciprocal_basis(phase) / lattice_scale
    hkl = indices_within(basis, q_max_per_angstrom)
    hkl = hkl[np.any(hkl != 0, axis=1)]
    if len(hkl) == 0:
        raise CrystalError(f"{phase.name}: no reflection with |g| ≤ {q_max_per_angstrom:g} Å⁻¹; raise q_max")
    scatterers = Scatterers.of(phase, scattering_factors, debye_waller)
    g = hkl @ basis
    intensity = scatterers.intensity(hkl, np.linalg.norm(g, axis=1)[None])[0]
    intensity[intensity < EXTINCT * intensity.max()] = 0.0
    return ReflectionList(hkl, g, intensity)


def reciprocal_basis(phase: Phase) -> np.ndarray:
    """Return (3, 3) reciprocal axes a*, b*, c* as rows, Å⁻¹, in the crystal frame of orix."""
    return np.array(phase.structure.lattice.recbase).T


def fractional_positions(phase: Phase) -> np.ndarray:
    """Return (n, 3) fractional coordinates of the atoms.

    orix turns the cell so that a ∥ x and c* ∥ z and re-expresses the atoms, after which diffpy's ``xyz`` refers to the
    cell as it stood before; the two differ for hexagonal and oblique cells.
    """
    lattice = phase.structure.lattice
    positions = np.array([atom.xyz for atom in phase.structure])
    return positions @ np.linalg.inv(lattice.stdbase @ lattice.recbase)


def indices_within(basis: np.ndarray, radius: float) -> np.ndarray:
    """Return (m, 3) int64: every hkl whose vector ``hkl @ basis`` is not longer than ``radius``."""
    direct = np.linalg.inv(basis)
    expected = 4 / 3 * np.pi * radius**3 * abs(np.linalg.det(direct))
    if expected > MOST_REFLECTIONS:
        raise CrystalError(
            f"about {expected:.2g} reflections lie within {radius:g} Å⁻¹, at most {MOST_REFLECTIONS:g} can be; check "
            "that the cell lengths are in Å"
        )
    reach = np.floor(radius * np.linalg.norm(direct, axis=0) + 1e-9).astype(int)
    axes = [np.arange(-n, n + 1) for n in reach]
    hkl = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return hkl[np.linalg.norm(hkl @ basis, axis=1) <= radius]


@dataclass(frozen=True, slots=True)
class Scatterers:
    """The atoms of one cell as numbers.

    Attributes
    ----------
    positions : (n, 3)
        Fractional coordinates.
    weights : (n,)
        Occupancies.
    kinds : (n,) int
        Which row of ``coefficients`` an atom has.
    b : (n,)
        Debye–Waller B, Å².
    coefficients : (k, 5, 2)
        Scattering-factor parameters of each element.
    parametrisation
        ``lobato`` or ``xtables``.
    """

    positions: np.ndarray
    weights: np.ndarray
    kinds: np.ndarray
    b: np.ndarray
    coefficients: np.ndarray
    parametrisation: str

    @classmethod
    def of(cls, phase: Phase, parametrisation: str, debye_waller: str | Mapping[str, float]) -> Scatterers:
        """Collect the atoms of a phase."""
        atoms = list(phase.structure)
        table = get_scattering_params_dict(parametrisation)
        elements = sorted({atom.element for atom in atoms})
        unknown = [element for element in elements if element not in table]
        if unknown:
            raise CrystalError(f"{phase.name}: no {parametrisation} scattering factor for {', '.join(unknown)}")
        if debye_waller == "none":
            b = np.zeros(len(atoms))
        elif debye_waller == "from_cif":
            b = 8 * np.pi**2 * np.array([atom.Uisoequiv for atom in atoms])
            if not np.all((b >= 0) & (b < MOST_B)):
                raise CrystalError(
                    f"{phase.name}: U of an atom is negative or beyond reason; correct the CIF file (Å²)"
                )
            if not b.any():
                _log.warning("%s: the crystal file gives no U, so no Debye–Waller factor is applied", phase.name)
        else:
            assert not isinstance(debye_waller, str)  # noqa: S101 - narrows the type; specs admit nothing else
            b = np.array([debye_waller.get(atom.element, 0.0) for atom in atoms])
        return cls(
            positions=fractional_positions(phase),
            weights=np.array([atom.occupancy for atom in atoms]),
            kinds=np.array([elements.index(atom.element) for atom in atoms]),
            b=b,
            coefficients=np.array([table[element] for element in elements], dtype=float),
            parametrisation=parametrisation,
        )

    def intensity(self, hkl: np.ndarray, g: np.ndarray) -> np.ndarray:
        """Return |F|² of reflections at one or more lattice scales.

        Parameters
        ----------
        hkl
            (m, 3) Miller indices.
        g
            (s, m) lengths |g| at each scale, Å⁻¹.

        Returns
        -------
        (s, m) float64.
        """
        result = np.empty(g.shape)
        for start in range(0, len(hkl), _CHUNK):
            part = slice(start, start + _CHUNK)
            waves = np.exp(2j * np.pi * (hkl[part] @ self.positions.T)) * self.weights
            for row in range(len(g)):
                squared = g[row, part] ** 2
                f = get_atomic_scattering_factors(squared, self.coefficients, self.parametrisation)[:, self.kinds]
                damping = np.exp(-0.25 * squared[:, None] * self.b)
                result[row, part] = np.abs(np.sum(waves * f * damping, axis=1)) ** 2
        return result
