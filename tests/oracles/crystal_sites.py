"""From the sites of a crystal file to |F|², by the shortest road: operations, images, one sum (docs/physics.md §3).

An image of a site within 0.1 Å of the site is the same atom, and the mean of such images is its position. A site whose
occupancy is at most 1/m, for m distinct images so close, is one of m alternatives that stay apart, unless its
coordinates are those of the special position to the digits that the file gives.
"""

from dataclasses import dataclass

import gemmi
import numpy as np

from tests.oracles.structure_factor import lobato

MERGE_DISTANCE_ANGSTROM = 0.1
_COINCIDENT_ANGSTROM = 1e-3
_ROUNDED_OCCUPANCY = 1e-3


@dataclass(frozen=True, slots=True)
class Site:
    """One line of a list of sites.

    Attributes
    ----------
    element : str
    position : tuple of 3 float
        Fractional coordinates as the file gives them.
    occupancy : float
    decimals : int
        Digits after the point that the file gives of the coordinates.
    u_iso : float
        Mean square displacement, Å².
    """

    element: str
    position: tuple[float, ...]
    occupancy: float = 1.0
    decimals: int = 9
    u_iso: float = 0.0


@dataclass(frozen=True, slots=True)
class Structure:
    """A crystal as a file describes it.

    Attributes
    ----------
    cell : tuple of 6 float
        a, b, c in Å, α, β, γ in degrees.
    rotations : (n, 3, 3) float
        Of the symmetry operations x → R x + t, centring translations included, on fractional coordinates.
    translations : (n, 3) float
    sites : tuple of Site
    """

    cell: tuple[float, ...]
    rotations: np.ndarray
    translations: np.ndarray
    sites: tuple[Site, ...]


def operations_of(setting: str) -> tuple[np.ndarray, np.ndarray]:
    """Return rotations (n, 3, 3) and translations (n, 3) of a full Hermann–Mauguin symbol with its setting."""
    named = gemmi.find_spacegroup_by_name(setting)
    assert named is not None, setting
    assert named.xhm() == setting
    operations = list(named.operations())
    rotations = np.array([operation.rot for operation in operations]) / operations[0].DEN
    return rotations, np.array([operation.tran for operation in operations]) / operations[0].DEN


def structure_of(setting: str, cell: tuple[float, ...], *sites: Site) -> Structure:
    """Return a structure with the operations of a setting."""
    return Structure(cell, *operations_of(setting), sites)


def axes_of(cell: tuple[float, ...]) -> np.ndarray:
    """Return a, b, c as rows (3, 3) in Å: a ∥ x and c* ∥ z."""
    a, b, c = cell[:3]
    alpha, beta, gamma = np.radians(cell[3:])
    along = (np.cos(alpha) - np.cos(beta) * np.cos(gamma)) / np.sin(gamma)
    height = np.sqrt(np.sin(beta) ** 2 - along**2)
    return np.array(
        [
            [a, 0, 0],
            [b * np.cos(gamma), b * np.sin(gamma), 0],
            [c * np.cos(beta), c * along, c * height],
        ]
    )


def images_of(structure: Structure, position: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the image of a position under each operation, moved next to it (n, 3), and its distance (n,) in Å."""
    images = structure.rotations @ position + structure.translations
    images -= np.round(images - position)
    return images, np.linalg.norm((images - position) @ axes_of(structure.cell), axis=1)


def orbit_of(structure: Structure, site: Site) -> np.ndarray:
    """Return the positions (m, 3) of the atoms of a site in the cell."""
    images, distance = images_of(structure, site.position)
    near = images[distance < MERGE_DISTANCE_ANGSTROM]
    position = np.array(site.position)
    centre = near.mean(axis=0)
    alternatives = len(distinct(near, structure.cell))
    as_given = np.all(np.abs(centre - position) <= 0.5 * 10.0**-site.decimals + 1e-9)
    apart = alternatives > 1 and site.occupancy * alternatives <= 1 + _ROUNDED_OCCUPANCY and not as_given
    position = images[distance <= _COINCIDENT_ANGSTROM].mean(axis=0) if apart else centre
    return distinct(structure.rotations @ position + structure.translations, structure.cell)


def distinct(positions: np.ndarray, cell: tuple[float, ...]) -> np.ndarray:
    """Return the positions that differ by more than a lattice vector."""
    axes, kept = axes_of(cell), positions[:1]
    for position in positions[1:]:
        difference = kept - position
        difference -= np.round(difference)
        if np.linalg.norm(difference @ axes, axis=1).min() > _COINCIDENT_ANGSTROM:
            kept = np.vstack([kept, position])
    return kept


def miller_indices(cell: tuple[float, ...], q_max_per_angstrom: float) -> np.ndarray:
    """Return every hkl (m, 3) with 0 < |g| ≤ q_max: |h| ≤ |a| |g|, because h = a·g."""
    largest = [int(length * q_max_per_angstrom) + 1 for length in cell[:3]]
    grid = np.meshgrid(*(np.arange(-most, most + 1) for most in largest), indexing="ij")
    hkl = np.stack(grid, axis=-1).reshape(-1, 3)
    length = np.linalg.norm(hkl @ np.linalg.inv(axes_of(cell)).T, axis=1)
    return hkl[(length <= q_max_per_angstrom) & hkl.any(axis=1)]


def intensities_of(structure: Structure, hkl: np.ndarray, *, thermal: bool = False) -> np.ndarray:
    """Return |F|² (m,) in Å² at hkl (m, 3); ``thermal`` applies exp(−B|g|²/4) with B = 8π²U."""
    length = np.linalg.norm(hkl @ np.linalg.inv(axes_of(structure.cell)).T, axis=1)
    total = np.zeros(len(hkl), dtype=complex)
    for site in structure.sites:
        waves = np.exp(2j * np.pi * (hkl @ orbit_of(structure, site).T)).sum(axis=1)
        damping = np.exp(-2 * np.pi**2 * site.u_iso * length**2) if thermal else 1.0
        total += site.occupancy * lobato(site.element, length) * damping * waves
    return np.abs(total) ** 2


def rotations_in_space(structure: Structure) -> np.ndarray:
    """Return the proper rotations (n, 3, 3) of the point group, on column vectors in the frame of the axes."""
    axes = axes_of(structure.cell)
    unique = np.unique(np.round(structure.rotations).astype(int).reshape(-1, 9), axis=0).reshape(-1, 3, 3)
    proper = unique[np.linalg.det(unique) > 0]
    return axes.T @ proper @ np.linalg.inv(axes.T)
