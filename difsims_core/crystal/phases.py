"""From the name of a phase or a crystal file to a structure that can be simulated (docs/physics.md §3)."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from difsims_core.crystal.catalogue import find_crystal
from difsims_core.crystal.cell import SAME_ATOM_ANGSTROM
from difsims_core.crystal.cif.reader import read_structure
from difsims_core.crystal.scattering_factors import coefficients_by_element
from difsims_core.crystal.structure import Structure
from difsims_core.errors import CrystalError
from difsims_core.storage.objects import read_url, url_name

if TYPE_CHECKING:
    from orix.crystal_map import Phase

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Crystal:
    """One phase as it was read; files that read the same make equal crystals.

    Attributes
    ----------
    name
        Class name.
    file
        Name of the crystal file, without its folder.
    sha256
        Of the bytes of the file.
    structure_sha256
        Of the structure as it was read.
    structure
        The cell and every atom in it.
    """

    name: str
    file: str
    sha256: str
    structure_sha256: str
    structure: Structure = field(compare=False)

    def record(self) -> dict[str, Any]:
        """Return what a dataset keeps of it."""
        names = ("name", "file", "sha256", "structure_sha256")
        return {name: getattr(self, name) for name in names} | {
            "space_group": self.structure.setting.symbol,
            "warnings": list(self.structure.warnings),
        }

    @property
    def phase(self) -> Phase:
        """The structure as an orix phase."""
        from difsims_core.crystal.orix_phase import to_phase  # loads orix, see crystal/libraries.py

        return to_phase(self.structure, self.name)


def load_crystal(
    name: str,
    cif: str | None = None,
    folder: str | Path | None = None,
    same_atom_angstrom: float = SAME_ATOM_ANGSTROM,
) -> Crystal:
    """Find and read the crystal of a phase; what is odd about it is logged, once a process.

    Parameters
    ----------
    name, cif, folder
        As ``find_crystal`` takes them.
    same_atom_angstrom
        An image of a site that lies so close to it is the same atom, Å.

    Raises
    ------
    CrystalError
        If the file is missing or malformed, leaves open what is meant, or holds an element without a scattering factor.
    """
    source = find_crystal(name, cif, folder)
    crystal = read_crystal(name, source, same_atom_angstrom)
    _tell(source, crystal.structure.warnings)
    return crystal


def read_crystal(name: str, source: str, same_atom_angstrom: float = SAME_ATOM_ANGSTROM) -> Crystal:
    """Read the crystal file at a path or URL; see ``load_crystal``."""
    data = read_url(source)
    structure = read_structure(data, source, same_atom_angstrom)
    _check_elements(structure, source)
    return Crystal(name, url_name(source), hashlib.sha256(data).hexdigest(), structure.sha256, structure)


def read_phase(phase: Phase) -> Crystal:
    """Return an orix phase as a crystal; one whose space group has more atoms than it lists is expanded, and says so.

    Raises
    ------
    CrystalError
        If it holds no atoms, or one that cannot scatter.
    InputError
        If it is no phase.
    """
    from difsims_core.crystal.orix_phase import structure_of

    structure, name = structure_of(phase), phase.name or "the phase"
    _check_elements(structure, name)
    return Crystal(name, "", "", structure.sha256, structure)


def as_crystal(source: str | Path | Phase, folder: str | Path | None = None) -> Crystal:
    """Return the crystal of a catalogue name, a crystal file or an orix phase; what is odd about it is logged."""
    if isinstance(source, str | Path):
        return load_crystal(str(source), folder=folder)
    crystal = read_phase(source)
    _tell(crystal.name, crystal.structure.warnings)
    return crystal


def load_phase(
    source: str | Path | Phase, folder: str | Path | None = None, same_atom_angstrom: float = SAME_ATOM_ANGSTROM
) -> Phase:
    """Return the orix phase, every atom of the cell in it, of a catalogue name, a crystal file or an orix phase.

    Parameters
    ----------
    source, folder
        What to read, and the folder of one's own crystal files, where a name is looked for first.
    same_atom_angstrom
        An image of a site of a file that lies so close to it is the same atom, Å.

    Raises
    ------
    CrystalError
        As ``load_crystal``.

    Examples
    --------
    >>> from difsims_core import load_phase
    >>> phase = load_phase("pb")
    >>> phase.space_group.short_name, len(phase.structure), round(phase.structure.lattice.a, 2)
    ('Fm-3m', 4, 4.95)
    """
    if isinstance(source, str | Path):
        return load_crystal(str(source), folder=folder, same_atom_angstrom=same_atom_angstrom).phase
    phase = as_crystal(source).phase
    if source.space_group is None and source.point_group is not None:
        phase.space_group, phase.point_group = None, source.point_group  # not to be told from atoms alone
    return phase


def _check_elements(structure: Structure, source: str) -> None:
    """Refuse a structure with an element that has no electron scattering factor."""
    absent = sorted(set(structure.atoms.elements) - coefficients_by_element("lobato").keys())
    if absent:
        raise CrystalError(
            f"{source}: no electron scattering factor is known for {', '.join(absent)}", "replace the element"
        )


@lru_cache(maxsize=256)
def _tell(source: str, warnings: tuple[str, ...]) -> None:
    for warning in warnings:
        _log.warning("%s: %s", source, warning)
