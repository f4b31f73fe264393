"""Places that several sites of a file share: mixtures, repeats of the same atom, and contradictions."""

from __future__ import annotations

import math

import numpy as np

from difsims_core.crystal.cell import UnitCell, close_pairs, nearest_distances
from difsims_core.crystal.cif.sites import Site
from difsims_core.crystal.structure import FULL_OCCUPANCY
from difsims_core.errors import CrystalError

_MOST_ROUNDING = 0.02  # that occupancies of one place add up to beyond 1, as 0.67 and 0.34 do
_SAME_OCCUPANCY = 1e-3


class CellAtoms:
    """The atoms of the cell, site by site.

    Parameters
    ----------
    cell
        The unit cell.
    same_atom_angstrom
        Positions that are so close are one place.
    most
        Atoms that there can be.

    Attributes
    ----------
    sites : list of Site
        Those that have atoms here.
    repeats : list of str
        Labels of those that were images of others.
    """

    def __init__(self, cell: UnitCell, same_atom_angstrom: float, most: int) -> None:
        self._cell, self._same_atom = cell, same_atom_angstrom
        self._positions, self._owners = np.empty((most, 3)), np.empty(most, np.int64)
        self._first: list[int] = []
        self._count = 0
        self.sites: list[Site] = []
        self.repeats: list[str] = []

    @property
    def positions(self) -> np.ndarray:
        """(n, 3) fractional coordinates."""
        return self._positions[: self._count]

    @property
    def owners(self) -> np.ndarray:
        """(n,) index into ``sites`` of each atom."""
        return self._owners[: self._count]

    def add(self, site: Site, positions: np.ndarray) -> None:
        """Add the (n, 3) atoms of a site, where the site itself is listed first."""
        rows = slice(self._count, self._count + len(positions))
        self._positions[rows], self._owners[rows] = positions, len(self.sites)
        self._first.append(self._count)
        self._count += len(positions)
        self.sites.append(site)

    def drop_repeat(self, site: Site) -> bool:
        """Note a site that is one of the atoms already, as in a list of all beside the symmetry; return whether it is.

        That is so where it lies on an image of a site of its kind, or where the place has no room for a second one.
        """
        distances = nearest_distances(self.positions, np.array(site.position), self._cell)
        near = np.flatnonzero(distances <= self._same_atom)
        seen: set[int] = set()
        for atom in near[np.argsort(distances[near], kind="stable")].tolist():
            owner = int(self.owners[atom])
            if owner in seen:
                continue
            seen.add(owner)
            other = self.sites[owner]
            same = math.isclose(other.occupancy, site.occupancy, abs_tol=_SAME_OCCUPANCY)
            image = atom != self._first[owner]
            if other.type_symbol == site.type_symbol and same and (image or _is_overfull([other, site])):
                self.repeats.append(site.label)
                return True
        return False

    def overfull_places(self, source: str) -> list[str]:
        """Return what to say of places with more than one atom that the file means so.

        Raises
        ------
        CrystalError
            If a place has more than one atom, and the file does not say that it is meant.
        """
        pairs, _ = close_pairs(self.positions, self._cell, self._same_atom)
        groups: dict[int, set[int]] = {}
        for low, high in np.sort(self.owners[pairs], axis=1).tolist():
            if low != high:
                groups.setdefault(low, {low}).add(high)
        shared = [[self.sites[i] for i in sorted(group)] for group in groups.values()]
        return [_overfull(sites, source) for sites in shared if _is_overfull(sites)]


def _is_overfull(sites: list[Site]) -> bool:
    """Return whether sites of one place are more than one atom, as far as their last decimal places tell."""
    rounding = min(sum(site.occupancy_place for site in sites), _MOST_ROUNDING)
    return sum(site.occupancy for site in sites) > FULL_OCCUPANCY + rounding


def _overfull(sites: list[Site], source: str) -> str:
    named = ", ".join(f"{site.label} ({site.element}, {site.occupancy:g})" for site in sites)
    groups = {site.disorder_group for site in sites}
    if "" not in groups and len(groups) == len(sites):
        return f"the sites {named} share a place and are more than one atom together"
    raise CrystalError(
        f"{source}: the sites {named} share a place and are more than one atom together",
        "correct their occupancies or positions, or give each a _atom_site_disorder_group of its own if it is meant",
    )
