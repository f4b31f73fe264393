"""What was read from a crystal file, for a person to check before trusting it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from difsims_core.config.class_names import class_name
from difsims_core.crystal.catalogue import find_crystal
from difsims_core.crystal.phases import Crystal, read_crystal, read_phase
from difsims_core.crystal.plausible import density
from difsims_core.crystal.reflections import reflections_of
from difsims_core.crystal.structure import Structure
from difsims_core.storage.names import file_name

if TYPE_CHECKING:
    from orix.crystal_map import Phase

_SAME_LINE_PER_ANGSTROM = 5e-4
_LINES = 5
_SMALLEST_D = 1.0  # Å: the strongest lines lie far above it


@dataclass(frozen=True, slots=True)
class PowderLine:
    """One line of the kinematical powder pattern.

    Attributes
    ----------
    hkl : tuple of int
        Miller indices of its strongest reflection.
    d_angstrom : float
        Spacing.
    intensity : float
        Σ|F|² over the line, in percent of the strongest.
    """

    hkl: tuple[int, int, int]
    d_angstrom: float
    intensity: float


@dataclass(frozen=True, slots=True)
class CrystalDescription:
    """What was read of a crystal.

    Attributes
    ----------
    name, source : str
        Class name, and the file that it was read from; empty for an orix phase.
    formula, stated_formula : str
        Content of the cell as read, and what the file says, with Z where it says so; empty when it says nothing.
    space_group : str
        Hermann–Mauguin symbol with its setting, as far as the operations have one.
    space_group_number : int or None
        In the International Tables.
    operations : int
        Symmetry operations in the cell, centring included.
    cell : tuple of float
        a, b, c in Å and α, β, γ in degrees.
    atoms : int
        Atomic positions in the cell.
    volume_angstrom3, density_g_per_cm3 : float
        Of the cell.
    lines : tuple of PowderLine
        The strongest ones, d ≥ 1 Å.
    warnings : tuple of str
        What is odd, one sentence each.
    """

    name: str
    source: str
    formula: str
    stated_formula: str
    space_group: str
    space_group_number: int | None
    operations: int
    cell: tuple[float, float, float, float, float, float]
    atoms: int
    volume_angstrom3: float
    density_g_per_cm3: float
    lines: tuple[PowderLine, ...]
    warnings: tuple[str, ...]


def describe_crystal(source: str | Path | Phase, folder: str | Path | None = None) -> CrystalDescription:
    """Return what is read from a catalogue name, a crystal file or an orix phase.

    Parameters
    ----------
    source
        Name, path, ``s3://`` URL or phase.
    folder
        Folder of one's own crystal files, where a name is looked for first.

    Raises
    ------
    CrystalError
        If it cannot be read, or leaves open what is meant.

    Examples
    --------
    >>> from difsims_core import describe_crystal
    >>> crystal = describe_crystal("pb")
    >>> crystal.formula, crystal.space_group, crystal.atoms, crystal.warnings
    ('Pb4', 'F m -3 m', 4, ())
    """
    if isinstance(source, str | Path):
        place = find_crystal(str(source), folder=folder)
        crystal = read_crystal(_name_of(str(source)), place)
    else:
        crystal, place = read_phase(source), ""
    structure = crystal.structure
    return CrystalDescription(
        name=crystal.name,
        source=place,
        formula=structure.atoms.formula,
        stated_formula=_stated(structure),
        space_group=structure.setting.symbol,
        space_group_number=structure.setting.number,
        operations=len(structure.setting.rotations),
        cell=(*structure.cell.lengths, *structure.cell.angles),
        atoms=len(structure.atoms),
        volume_angstrom3=structure.cell.volume,
        density_g_per_cm3=density(structure),
        lines=_strongest_lines(crystal),
        warnings=structure.warnings,
    )


def _name_of(source: str) -> str:
    """Return the class name that a file gets."""
    stem = file_name(source)
    stem = stem[: -len(".cif")] if stem.lower().endswith(".cif") else stem
    return class_name(stem) or stem


def _stated(structure: Structure) -> str:
    formula = structure.formula
    if formula is None:
        return ""
    return formula.text if formula.units is None else f"{formula.text}, Z = {formula.units:g}"


def _strongest_lines(crystal: Crystal) -> tuple[PowderLine, ...]:
    found = reflections_of(crystal, 1 / _SMALLEST_D)
    lengths = np.linalg.norm(found.g, axis=1)
    order = np.argsort(lengths, kind="stable")
    line = np.concatenate([[0], np.cumsum(np.diff(lengths[order]) > _SAME_LINE_PER_ANGSTROM)])
    total = np.bincount(line, found.intensity[order])
    strongest = []
    for index in np.argsort(-total, kind="stable")[:_LINES]:
        members = order[line == index]
        equals = found.intensity[members] > 0.999 * found.intensity[members].max()
        h, k, l = max(map(tuple, found.hkl[members[equals]].tolist()))  # noqa: E741 - Miller's letters
        d = 1 / float(lengths[members].mean())
        strongest.append(PowderLine((h, k, l), d, float(100 * total[index] / total.max())))
    return tuple(line for line in strongest if line.intensity > 0)
