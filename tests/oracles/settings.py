"""The settings of the space groups, each with a cell that has no more symmetry than it must, and sites to fill it."""

import gemmi
import numpy as np

from tests.oracles.crystal_sites import Structure, axes_of, operations_of

SETTINGS = tuple(row.xhm() for row in gemmi.spacegroup_table())
NUMBER = {row.xhm(): row.number for row in gemmi.spacegroup_table()}
HALL = {row.xhm(): row.hall for row in gemmi.spacegroup_table()}
ONLY_ONE_SETTING = tuple(s for s in SETTINGS if list(NUMBER.values()).count(NUMBER[s]) == 1)

_CLEAR_ANGSTROM = 0.4
_CANDIDATES = 60


def triplets_of(setting: str) -> tuple[str, ...]:
    """Return all operations of a setting as a file lists them, ``x,y,z`` first."""
    return tuple(operation.triplet() for operation in gemmi.find_spacegroup_by_name(setting).operations())


def others_of(setting: str) -> tuple[str, ...]:
    """Return the other settings of the same space group, which a more telling statement overrules."""
    return tuple(other for other in SETTINGS if NUMBER[other] == NUMBER[setting] and other != setting)


def generic_cell(setting: str, random: np.random.Generator, volume: float = 250.0) -> tuple[float, ...]:
    """Return a cell (Å, degrees; ``volume`` in Å³) that the operations leave as it is, and hardly any other does.

    The metric is that of a random cell averaged over the point operations, G = mean RᵀG₀R.
    """
    rotations, _ = operations_of(setting)
    start = axes_of((*random.uniform(0.7, 1.4, 3), *random.uniform(75, 105, 3)))
    metric = np.mean([r.T @ start @ start.T @ r for r in rotations], axis=0)
    metric *= (volume**2 / np.linalg.det(metric)) ** (1 / 3)
    lengths = np.sqrt(np.diag(metric))
    cosines = metric / np.outer(lengths, lengths)
    angles = np.degrees(np.arccos([cosines[1, 2], cosines[0, 2], cosines[0, 1]]))
    return tuple(float(value) for value in np.round([*lengths, *angles], 5))


def distances_from_images(structure: Structure, positions: np.ndarray) -> np.ndarray:
    """Return how far (Å) each of the positions (m, 3) is from its image under each operation, (m, n)."""
    images = np.einsum("nij,mj->mni", structure.rotations, positions) + structure.translations
    images -= np.round(images - positions[:, None])
    return np.linalg.norm((images - positions[:, None]) @ axes_of(structure.cell), axis=-1)


def general_position(structure: Structure, random: np.random.Generator) -> np.ndarray:
    """Return a position (3,) well away from all its images; ``structure`` needs no sites."""
    candidates = random.uniform(0, 1, (_CANDIDATES, 3))
    clear = np.sort(distances_from_images(structure, candidates), axis=1)[:, 1:2].min(axis=1, initial=1.0)
    assert clear.max() > _CLEAR_ANGSTROM
    return candidates[clear.argmax()]


def special_position(structure: Structure, random: np.random.Generator) -> np.ndarray | None:
    """Return a position (3,) on an element of symmetry, or ``None`` where the group has none.

    A point stays where it is, up to a lattice vector n, where (1 − R) x = t + n. What 1 − R leaves free is drawn, or
    kept at zero, where elements more often meet.
    """
    chosen = random.integers(len(structure.rotations), size=_CANDIDATES)
    left = np.eye(3) - structure.rotations[chosen]
    right = structure.translations[chosen] + random.integers(-1, 2, (_CANDIDATES, 3))
    inverse = np.linalg.pinv(left)
    free = random.uniform(0, 1, (_CANDIDATES, 3)) * random.integers(0, 2, (_CANDIDATES, 1))
    points = free + np.einsum("nij,nj->ni", inverse, right - np.einsum("nij,nj->ni", left, free))
    distance = distances_from_images(structure, points)
    fixed, clear = (distance < 1e-6).sum(axis=1) > 1, np.all((distance < 1e-6) | (distance > _CLEAR_ANGSTROM), axis=1)
    usable = points[fixed & clear]
    return usable[0] if len(usable) else None


def displaced(structure: Structure, position: np.ndarray, distance: float, random: np.random.Generator) -> np.ndarray:
    """Return a position (3,) moved by ``distance`` Å in a random direction."""
    direction = random.normal(size=3)
    return position + distance * direction / np.linalg.norm(direction) @ np.linalg.inv(axes_of(structure.cell))


def apart(structure: Structure, first: np.ndarray, second: np.ndarray) -> float:
    """Return the shortest distance (Å) between a position and the images of another."""
    images = structure.rotations @ second + structure.translations
    images -= np.round(images - first)
    return float(np.linalg.norm((images - first) @ axes_of(structure.cell), axis=1).min())
