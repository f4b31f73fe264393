"""Crystal structures to and from the phases of orix, whose diffpy structure holds every atom."""

from __future__ import annotations

import math

import numpy as np
from diffpy.structure import Atom, Lattice
from diffpy.structure import Structure as DiffpyStructure
from diffpy.structure.spacegroups import GetSpaceGroup, SpaceGroup
from scipy.spatial import KDTree

from difsims_core.crystal.cell import SAME_ATOM_ANGSTROM, UnitCell, nearest_distances
from difsims_core.crystal.cif.elements import chemical_symbol
from difsims_core.crystal.cif.expand import atoms_of, expand
from difsims_core.crystal.cif.sites import Site, checked_occupancy, coordinate_places, last_place
from difsims_core.crystal.cif.space_groups import settings_of_number
from difsims_core.crystal.libraries import POINT_GROUPS, Phase, Symmetry, get_point_group
from difsims_core.crystal.plausible import implausible
from difsims_core.crystal.point_group import cartesian_operations, quaternions_of, same_rotations
from difsims_core.crystal.setting import DENOMINATOR, Setting
from difsims_core.crystal.structure import Atoms, Structure
from difsims_core.errors import CrystalError, InputError

_NON_STANDARD = 1000  # diffpy numbers further settings of group n 1000 + n, 2000 + n, …
_P1 = Setting("P 1", 1, np.eye(3, dtype=np.int64)[None], np.zeros((1, 3), np.int64))


def to_phase(structure: Structure, name: str) -> Phase:
    """Return a structure as an orix phase.

    Its space group is set where the operations are those of the standard setting and orix orients the point group as
    the crystal has it; elsewhere only the point group is, with the operations of the crystal.
    """
    atoms = structure.atoms
    columns = (atoms.elements, atoms.positions, atoms.labels, atoms.occupancies, np.nan_to_num(atoms.u_iso))
    diffpy = DiffpyStructure(
        [
            Atom(element, xyz=position, label=label, occupancy=float(occupancy), Uisoequiv=float(u))
            for element, position, label, occupancy, u in zip(*columns, strict=True)
        ],
        lattice=Lattice(*structure.cell.lengths, *structure.cell.angles),
    )
    number, operations = structure.setting.number, cartesian_operations(structure)
    if (
        number is not None
        and _has_standard_setting(structure.setting, number)
        and _same(get_point_group(number), operations)
    ):
        return Phase(name, space_group=number, structure=diffpy)
    return Phase(name, point_group=_point_group(operations, structure.setting.symbol), structure=diffpy)


def structure_of(phase: Phase) -> Structure:
    """Return the structure of an orix phase; one with a space group and only some of its atoms is expanded.

    Raises
    ------
    CrystalError
        If it holds no atoms, one that is no chemical element, has no position or is occupied more than once, or if no
        setting of its space group fits its cell.
    InputError
        If it is no phase.
    """
    if not isinstance(phase, Phase):
        raise InputError(
            f"expected a phase, found {type(phase).__name__}",
            "give a name of the catalogue, the path of a crystal file or a Phase of orix",
        )
    name = phase.name or "the phase"
    if phase.structure is None or len(phase.structure) == 0:
        raise CrystalError(f"{name}: holds no atoms", "a phase needs its atom sites, not the cell alone")
    cell = UnitCell(*map(float, phase.structure.lattice.abcABG()))
    pairs = enumerate(zip(phase.structure, _fractional(phase), strict=True))
    sites = [_site(atom, position, name, place) for place, (atom, position) in pairs]
    given = atoms_of(sites, np.array([site.position for site in sites]))
    setting, whole = _P1, True
    if phase.space_group is not None:
        setting, whole = _fitting_setting(phase.space_group, given, cell, name)
    atoms, notes = expand(sites, _P1 if whole else setting, cell, name)
    if len(atoms) == len(given):
        atoms = given  # to the last bit
    if not whole:
        grown = f"its {len(given)} atoms were expanded to {len(atoms)} by the operations of {setting.symbol}"
        notes = (grown, *notes)
    structure = Structure(cell, atoms, setting, warnings=notes)
    return structure.with_warnings(*implausible(structure))


def _site(atom: Atom, position: np.ndarray, name: str, place: int) -> Site:
    """Return an atom as a site, a disorder group of its own: whoever built the phase has seen all of them."""
    element = chemical_symbol(atom.element or "")
    if element is None:
        raise CrystalError(
            f"{name}: the element {atom.element!r} of site {atom.label or '?'} is no chemical element",
            "write one, such as Pb or Pb2+",
        )
    label = atom.label or element
    x, y, z = values = [float(value) for value in position]
    if not all(map(math.isfinite, values)):
        raise CrystalError(
            f"{name}: atom site {label} has no position ({x:g} {y:g} {z:g})", "give fractional coordinates"
        )
    texts = [f"{value:.10f}".rstrip("0") for value in values]
    u = float(atom.Uisoequiv)
    return Site(
        label,
        element,
        atom.element,
        (x, y, z),
        coordinate_places(texts, [float(text) for text in texts]),
        checked_occupancy(float(atom.occupancy), f"{name}: site {label}"),
        last_place(f"{atom.occupancy:.6f}".rstrip("0")),
        u if math.isfinite(u) else math.nan,
        disorder_group=str(place),
    )


def _fitting_setting(group: SpaceGroup, atoms: Atoms, cell: UnitCell, name: str) -> tuple[Setting, bool]:
    """Return the setting of a space group under which the atoms are closed, or else the one that diffpy means; and
    whether they are closed.
    """
    stated = _diffpy_setting(group)
    settings = [stated, *settings_of_number(int(group.number or 0) % _NON_STANDARD)]
    fitting = [setting for setting in settings if setting.fits(cell.metric)]
    closed = next((setting for setting in fitting if _is_closed(atoms, setting, cell)), None)
    if closed is not None:
        return closed, True
    if stated not in fitting and len(fitting) == 1:
        return fitting[0], False  # the cell decides: rhombohedral axes
    if stated not in fitting:
        raise CrystalError(
            f"{name}: its cell ({cell}) does not fit space group {stated.symbol} as orix has it",
            "give all atoms and no space group, or a crystal file",
        )
    return stated, False


def _is_closed(atoms: Atoms, setting: Setting, cell: UnitCell) -> bool:
    """Return whether every operation brings every atom onto one of its kind."""
    kinds = np.array([f"{e} {o:.3f}" for e, o in zip(atoms.elements, atoms.occupancies, strict=True)])
    for kind in np.unique(kinds):
        positions = atoms.positions[kinds == kind]
        tree = KDTree(positions % 1.0 % 1.0, boxsize=1.0)
        images = np.einsum("mij,nj->mni", setting.rotations, positions) + setting.translations[:, None] / DENOMINATOR
        images = images.reshape(-1, 3) % 1.0 % 1.0
        nearest = positions[tree.query(images)[1]]
        if nearest_distances(images, nearest, cell).max() > SAME_ATOM_ANGSTROM:
            return False
    return True


def _fractional(phase: Phase) -> np.ndarray:
    """Return (n, 3) fractional coordinates of the atoms.

    orix turns the cell so that a ∥ x and c* ∥ z and re-expresses the atoms, after which diffpy's ``xyz`` refers to the
    cell as it stood before; the two differ for hexagonal and oblique cells.
    """
    lattice = phase.structure.lattice
    positions = np.array([atom.xyz for atom in phase.structure])
    return positions @ np.linalg.inv(lattice.stdbase @ lattice.recbase)


def _diffpy_setting(group: SpaceGroup) -> Setting:
    rotations = np.array([operation.R for operation in group.iter_symops()])
    translations = np.array([operation.t for operation in group.iter_symops()])
    return Setting(
        str(group.short_name),
        group.number,
        np.rint(rotations).astype(np.int64),
        np.rint(translations * DENOMINATOR).astype(np.int64),
    )


def _has_standard_setting(setting: Setting, number: int) -> bool:
    return _diffpy_setting(GetSpaceGroup(number)).keys == setting.keys


def _point_group(operations: np.ndarray, symbol: str) -> Symmetry:
    """Return the point group of (n, 3, 3) operations, under the name that orix has for it if any."""
    for group in POINT_GROUPS:
        if _same(group, operations):
            return group
    improper = np.linalg.det(operations) < 0
    proper = np.where(improper[:, None, None], -operations, operations)
    group = Symmetry(quaternions_of(proper))
    group.improper = improper
    group.name = symbol
    return group


def _same(group: Symmetry, operations: np.ndarray) -> bool:
    """Return whether an orix group has just these (n, 3, 3) operations."""
    matrices = group.to_matrix() * np.where(group.improper, -1, 1)[:, None, None]
    return same_rotations(matrices, operations)
