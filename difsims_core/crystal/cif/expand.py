"""From sites and operations to every atom of the cell, each atom once (PHYSICS §3)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from difsims_core.crystal.cell import UnitCell
from difsims_core.crystal.cif.sites import Site
from difsims_core.crystal.neighbours import SAME_ATOM_ANGSTROM, close_pairs, nearest_distances
from difsims_core.crystal.setting import DENOMINATOR, Setting
from difsims_core.crystal.structure import Atoms
from difsims_core.errors import CrystalError

_ROUNDING = 3.01  # units of the last decimal place that the images of a rounded special position can be apart
_LEAST_ANGSTROM = 1e-3
_FULL = 1.001
_STEPS = 12
_MOST_ATOMS = 50_000


@dataclass(frozen=True, slots=True)
class _Orbit:
    """The atoms that one site stands for: (n, 3) positions, the first of them the site itself."""

    site: Site
    positions: np.ndarray


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
    if len(sites) * len(setting.rotations) > _MOST_ATOMS:
        raise CrystalError(
            f"{source}: {len(sites)} sites and {len(setting.rotations)} operations make more than {_MOST_ATOMS} atoms; "
            "expected a crystal structure of one unit cell"
        )
    orbits, notes = [], []
    for site in sites:
        positions, note = _orbit(site, setting, cell, source, same_atom_angstrom)
        orbits.append(_Orbit(site, positions))
        notes += [note] if note else []
    kept, said = _without_repeats(orbits, cell, source, same_atom_angstrom)
    notes += said
    for orbit in kept:
        stated = orbit.site.multiplicity
        if stated is not None and stated != len(orbit.positions):
            notes.append(f"site {orbit.site.label} makes {len(orbit.positions)} atoms, the file says {stated}")
    repeats = [len(orbit.positions) for orbit in kept]
    each = [site for orbit, n in zip(kept, repeats, strict=True) for site in [orbit.site] * n]
    atoms = Atoms(
        tuple(site.label for site in each),
        tuple(site.element for site in each),
        np.concatenate([orbit.positions for orbit in kept]) % 1.0,
        np.array([site.occupancy for site in each]),
        np.array([site.u_iso for site in each]),
    )
    return atoms, tuple(notes)


def _orbit(
    site: Site, setting: Setting, cell: UnitCell, source: str, same_atom: float
) -> tuple[np.ndarray, str | None]:
    """Return the distinct images of a site, and a note when it stays split."""
    rounding = _ROUNDING * 10.0**-site.digits
    exact = _on_special_position(np.array(site.position), setting, cell, same_atom, rounding)
    images = _distinct(_images(exact, setting), cell, _LEAST_ANGSTROM)
    cluster = int(np.count_nonzero(nearest_distances(images, images[0], cell) <= same_atom))
    if cluster == 1:
        return images, None
    if site.occupancy * cluster <= _FULL:
        note = (
            f"site {site.label} is split into {cluster} positions within {same_atom:g} Å, occupied by "
            f"{site.occupancy:g} each"
        )
        return images, note
    special = _on_special_position(exact, setting, cell, same_atom)
    images = _distinct(_images(special, setting), cell, _LEAST_ANGSTROM)
    if np.count_nonzero(nearest_distances(images, images[0], cell) <= same_atom) > 1:
        raise CrystalError(
            f"{source}: site {site.label} lies within {same_atom:g} Å of several special positions; give its "
            "coordinates more exactly"
        )
    return images, None


def _on_special_position(
    position: np.ndarray, setting: Setting, cell: UnitCell, within: float, fractional: float = 1.0
) -> np.ndarray:
    """Return the average of the images of a position that lie within a distance of it, Å, until it stays.

    ``fractional`` bounds the differences of the coordinates of those that do not coincide.
    """
    for _ in range(_STEPS):
        offsets = _images(position, setting) - position
        offsets -= np.round(offsets)
        distances = np.linalg.norm(offsets @ cell.base, axis=1)
        near = (distances <= within) & (np.abs(offsets).max(axis=1) <= fractional) | (distances <= _LEAST_ANGSTROM)
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
    kept: list[np.ndarray] = []
    for image in images:
        if not kept or nearest_distances(np.array(kept), image, cell).min() > within:
            kept.append(image)
    return np.array(kept)


def _without_repeats(
    orbits: list[_Orbit], cell: UnitCell, source: str, same_atom: float
) -> tuple[list[_Orbit], list[str]]:
    """Leave out sites that are images of others, as in a list of all atoms beside the symmetry, and say so.

    Atoms of several kinds share a site when their occupancies do not exceed one; else the file contradicts itself.
    """
    positions = np.concatenate([orbit.positions for orbit in orbits])
    owner = np.repeat(np.arange(len(orbits)), [len(orbit.positions) for orbit in orbits])
    pairs, _ = close_pairs(positions, cell, same_atom)
    pairs = pairs[owner[pairs[:, 0]] != owner[pairs[:, 1]]]
    dropped: set[int] = set()
    sharing: dict[int, set[int]] = {}
    for low, high in sorted({(min(a, b), max(a, b)) for a, b in owner[pairs].tolist()}):
        if low in dropped or high in dropped:
            continue
        one, other = orbits[low].site, orbits[high].site
        same = one.element == other.element and math.isclose(one.occupancy, other.occupancy, abs_tol=1e-3)
        nearest = np.argmin(nearest_distances(orbits[low].positions, orbits[high].positions[0], cell))
        if same and (nearest > 0 or one.occupancy + other.occupancy > _FULL):  # an image, however little is there
            dropped.add(high)
        else:
            sharing.setdefault(low, {low}).add(high)
    overfull = []
    for group in sharing.values():
        sites = [orbits[i].site for i in sorted(group - dropped)]
        if sum(site.occupancy for site in sites) > _FULL:
            overfull.append(_overfull(sites, source, same_atom))
    kept = [orbit for i, orbit in enumerate(orbits) if i not in dropped]
    labels = ", ".join(orbits[i].site.label for i in sorted(dropped))
    repeats = [f"{len(dropped)} of the sites repeat others and were left out: {labels[:200]}"] if dropped else []
    return kept, [*repeats, *overfull]


def _overfull(sites: list[Site], source: str, same_atom: float) -> str:
    """Return what to say of sites in one place that are more than one atom together, if the file means it."""
    named = ", ".join(f"{site.label} ({site.element}, {site.occupancy:g})" for site in sites)
    groups = {site.disorder_group for site in sites}
    if "" not in groups and len(groups) == len(sites):
        return f"the sites {named} share a place and are more than one atom together"
    raise CrystalError(
        f"{source}: the sites {named} lie within {same_atom:g} Å of each other and are more than one atom together; "
        "correct their occupancies or positions, or give each a _atom_site_disorder_group of its own if it is meant"
    )
