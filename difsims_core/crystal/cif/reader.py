"""Read a crystal file (docs/physics.md §3)."""

from __future__ import annotations

from functools import lru_cache

from difsims_core.crystal.cell import SAME_ATOM_ANGSTROM
from difsims_core.crystal.cif.expand import expand
from difsims_core.crystal.cif.sites import read_sites
from difsims_core.crystal.cif.symmetry import read_symmetry
from difsims_core.crystal.cif.tables import read_tables
from difsims_core.crystal.cif.unit_cell import read_cell
from difsims_core.crystal.plausible import implausible
from difsims_core.crystal.structure import Formula, Structure


@lru_cache(maxsize=8)
def read_structure(data: bytes, source: str, same_atom_angstrom: float = SAME_ATOM_ANGSTROM) -> Structure:
    """Return the structure that the bytes of a crystal file describe.

    An explicit list of symmetry operations counts first, then the Hall symbol, the Hermann–Mauguin symbol with its
    setting, and the number of the space group where it has one setting only; the cell decides where only it can. The
    last few are remembered: a simulation asks for its crystals when it looks for a dataset, and again for its tables.

    Parameters
    ----------
    data
        The file.
    source
        What errors call it.
    same_atom_angstrom
        An image of a site that lies so close to it is the same atom; see ``expand``.

    Raises
    ------
    CrystalError
        If it is malformed, contradicts itself, or leaves open what is meant.
    """
    block = read_tables(data, source)
    cell = read_cell(block, source)
    sites, remarks = read_sites(block, cell, source)
    setting, notes = read_symmetry(block, cell, source)
    atoms, further = expand(sites, setting, cell, source, same_atom_angstrom)
    formula = Formula.read(*(block.text(tag) for tag in ("_chemical_formula_sum", "_cell_formula_units_z")))
    structure = Structure(cell, atoms, setting, formula)
    return structure.with_warnings(*notes, *remarks, *further, *implausible(structure))
