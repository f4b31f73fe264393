"""Reflections of a phase and their kinematical structure factors (docs/physics.md §3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from difsims_core.crystal.indices import friedel_half, mirrored
from difsims_core.crystal.phases import Crystal, as_crystal
from difsims_core.crystal.structure import Structure
from difsims_core.crystal.structure_factors import EXTINCT, Scatterers
from difsims_core.errors import CrystalError

if TYPE_CHECKING:
    from orix.crystal_map import Phase

_LONGEST_IN_NM = 2.0  # Å; no crystal has so short a cell
_SMALLEST_ATOM = 1.0  # Å³; carbon in diamond takes 5.7


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
    phase: Phase | str | Path,
    q_max_per_angstrom: float,
    scattering_factors: str = "lobato",
    debye_waller: str | Mapping[str, float] = "none",
    lattice_scale: float = 1.0,
) -> ReflectionList:
    """Return every reflection with 0 < |g| ≤ q_max.

    Parameters
    ----------
    phase
        orix phase with its atoms, catalogue name or crystal file.
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

    Examples
    --------
    Of the face-centred cubic lattice of lead, only 111 and 200 are allowed below 0.5 Å⁻¹:

    >>> from difsims_core import reflection_list
    >>> reflections = reflection_list("pb", 0.5)
    >>> allowed = reflections.hkl[reflections.intensity > 0]
    >>> len(allowed), sorted({tuple(sorted(map(abs, hkl))) for hkl in allowed.tolist()})
    (14, [(0, 0, 2), (1, 1, 1)])
    """
    return reflections_of(as_crystal(phase), q_max_per_angstrom, scattering_factors, debye_waller, lattice_scale)


def reflections_of(
    crystal: Crystal,
    q_max_per_angstrom: float,
    scattering_factors: str = "lobato",
    debye_waller: str | Mapping[str, float] = "none",
    lattice_scale: float = 1.0,
) -> ReflectionList:
    """Return the reflections of a crystal; see ``reflection_list``."""
    basis = crystal.structure.cell.reciprocal / lattice_scale
    half = friedel_half(basis, q_max_per_angstrom, crystal.name)
    if len(half) == 1:
        raise CrystalError(
            f"{crystal.name}: no reflection with |g| ≤ {q_max_per_angstrom:g} Å⁻¹",
            f"raise q_max{nm_hint(crystal.structure)}",
        )
    intensity = Scatterers.of(crystal, scattering_factors, debye_waller).intensity(half, np.ones(1))[0]
    strongest = intensity[1:].max()
    hkl, intensity = half.hkl(), np.where(intensity < EXTINCT * strongest, 0.0, intensity)
    origin = len(half) - 1
    hkl, intensity = (np.delete(values, origin, axis=0) for values in (mirrored(hkl, -1), mirrored(intensity)))
    return ReflectionList(hkl, hkl @ basis, intensity)


def nm_hint(structure: Structure) -> str:
    """Return what to add to an error when the cell is too small for its atoms, as one with lengths in nm is."""
    volume, n_atoms = structure.cell.volume, float(structure.atoms.occupancies.sum())
    if max(structure.cell.lengths) < _LONGEST_IN_NM or volume < _SMALLEST_ATOM * n_atoms:
        return f" (lengths look like nm: a cell of {volume:.3g} Å³ with {n_atoms:g} atoms; expected Å)"
    return ""
