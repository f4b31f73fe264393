"""From sites and operations to every atom of the cell, each atom once (docs/physics.md §3)."""

from __future__ import annotations

import numpy as np

from difsims_core.crystal.cell import SAME_ATOM_ANGSTROM, UnitCell, nearest_distances
from difsims_core.crystal.cif.cell_atoms import CellAtoms
from difsims_core.crystal.cif.sites import Site
from difsims_core.crystal.setting import DENOMINATOR, Setting
from difsims_core.crystal.structure import FULL_OCCUPANCY, Atoms
from difsims_core.errors import CrystalError, InputError

_ROUNDING = 0.67  # units of the last decimal place that a coordinate can be off: 2/3 cut off to 0.66
_ROUNDED_WITHIN = 3.0  # times the distance of the same atom: what rounding explains may lie farther apart
_LEAST_ANGSTROM = 1e-3
_STEPS = 12
_MOST_SAME_ATOM = 0.5  # Å, less than any two atoms are apart
_MOST_ATOMS = 50_000


def expand(
    sites: list[Site], setting: Setting, cell: UnitCell, source: str, same_atom_angstrom: float = SAME_ATOM_ANGSTROM
) -> tuple[Atoms, tuple[str, ...]]:
    """Return every atom of the cell, and what a user should know about how they came to be.

    Parameters
    ----------
    sites, setting, cell
        What the file lists.
    source
        What errors call the file.
    same_atom_angstrom
        An image of a site that lies so close to it is the same atom, and its position is averaged onto the special
        position. Where the occupancy leaves room for all of them, and rounding of the coordinates does not explain the
        distance, they stay apart as a split site.

    Raises
    ------
    CrystalError
        If different atoms share a place and are more than one.
    """
    if not 0 <= same_atom_angstrom <= _MOST_SAME_ATOM:
        raise InputError(f"same_atom_angstrom must lie in 0 … {_MOST_SAME_ATOM:g} Å, found {same_atom_angstrom}")
    if len(sites) * len(setting.rotations) > _MOST_ATOMS:
        raise CrystalError(
            f"{source}: {len(sites)} sites and {len(setting.rotations)} operations make more than {_MOST_ATOMS} atoms; "
            "expected a crystal structure of one unit cell"
        )
    notes: list[str] = []
    placed = CellAtoms(cell, same_atom_angstrom, len(sites) * len(setting.rotations))
    for site in sites:
        if placed.drop_repeat(site):
            continue
        positions, note = _orbit(site, setting, cell, source, same_atom_angstrom)
        placed.add(site, positions)
        notes += [note] if note else []
        if site.multiplicity not in {None, len(positions)}:
            notes.append(f"site {site.label} makes {len(positions)} atoms, the file says {site.multiplicity}")
    if placed.repeats:
        labels = ", ".join(placed.repeats)
        notes.append(f"{len(placed.repeats)} of the sites repeat others and were left out: {labels[:200]}")
    notes += placed.overfull_places(source)
    each = [placed.sites[owner] for owner in placed.owners]
    return atoms_of(each, placed.positions % 1.0), tuple(notes)


def atoms_of(sites: list[Site], positions: np.ndarray) -> Atoms:
    """Return atoms at (n, 3) positions, each with what its site says of it."""
    return Atoms(
        tuple(site.label for site in sites),
        tuple(site.element for site in sites),
        positions,
        np.array([site.occupancy for site in sites]),
        np.array([site.u_iso for site in sites]),
    )


def _orbit(
    site: Site, setting: Setting, cell: UnitCell, source: str, same_atom: float
) -> tuple[np.ndarray, str | None]:
    """Return the distinct images of a site, and a note when it stays split."""
    exact = _on_special_position(
        np.array(site.position), setting, cell, _ROUNDED_WITHIN * same_atom, np.array(site.places)
    )
    images = _distinct(_images(exact, setting), cell, _LEAST_ANGSTROM)
    cluster = int(np.count_nonzero(nearest_distances(images, images[0], cell) <= same_atom))
    if cluster == 1:
        return images, None
    if site.occupancy * cluster <= FULL_OCCUPANCY:
        note = (
            f"site {site.label} is split into {cluster} positions within {same_atom:g} Å, occupied by "
            f"{site.occupancy:g} each"
        )
        return images, note
    special = _on_special_position(exact, setting, cell, same_atom)
    images = _distinct(_images(special, setting), cell, _LEAST_ANGSTROM)
    if np.count_nonzero(nearest_distances(images, images[0], cell) <= same_atom) > 1:
        raise CrystalError(
            f"{source}: site {site.label} lies within {same_atom:g} Å of several special positions",
            "give its coordinates more exactly",
        )
    return images, None


def _on_special_position(
    position: np.ndarray, setting: Setting, cell: UnitCell, within: float, places: np.ndarray | None = None
) -> np.ndarray:
    """Return the average of the images of a position that lie within a distance of it, Å, until it stays.

    With ``places``, units of the last decimal place of each coordinate, only those count that rounding explains.
    """
    explained = np.ones((len(setting.rotations), 3))
    if places is not None:
        explained = _ROUNDING * (np.abs(setting.rotations) @ places + places) + 1e-9
    for _ in range(_STEPS):
        offsets = setting.rotations @ position + setting.translations / DENOMINATOR - position
        offsets -= np.round(offsets)
        distances = np.linalg.norm(offsets @ cell.base, axis=1)
        near = (distances <= within) & (np.abs(offsets) <= explained).all(axis=1) | (distances <= _LEAST_ANGSTROM)
        step = offsets[near].mean(axis=0)
        position = position + step
        if np.linalg.norm(step @ cell.base) < 1e-9:
            break
    return position


def _images(position: np.ndarray, setting: Setting) -> np.ndarray:
    """Return (n, 3) images under every operation, the identity first."""
    images = setting.rotations @ position + setting.translations / DENOMINATOR
    identity = np.all(setting.rotations == np.eye(3), axis=(1, 2)) & np.all(setting.translations == 0, axis=1)
    return images[np.argsort(~identity, kind="stable")]


def _distinct(images: np.ndarray, cell: UnitCell, within: float) -> np.ndarray:
    """Return images without those that coincide with an earlier one."""
    distances = nearest_distances(images[:, None], images[None], cell)
    return images[~np.tril(distances <= within, -1).any(axis=1)]
