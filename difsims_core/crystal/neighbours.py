"""Distances between the atoms of a crystal."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from difsims_core.crystal.cell import UnitCell

SAME_ATOM_ANGSTROM = 0.1
"""Positions that are so close are the same atom; no two atoms are, but the halves of a split site."""


def nearest_distances(positions: np.ndarray, place: np.ndarray, cell: UnitCell) -> np.ndarray:
    """Return distances (…) of fractional positions (…, 3) to a place and its lattice repeats, Å.

    Exact for what is closer than half of the cell's smallest width.
    """
    offsets = positions - place
    return np.linalg.norm((offsets - np.round(offsets)) @ cell.base, axis=-1)


def close_pairs(positions: np.ndarray, cell: UnitCell, within: float) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, 2) indices of positions closer than ``within`` Å, across the cell's faces too, and (n,) distances."""
    tree = KDTree(positions % 1.0 % 1.0, boxsize=1.0)  # twice: a tiny negative number gives 1.0 the first time
    reach = within * float(np.linalg.norm(cell.reciprocal, 2))
    pairs = tree.query_pairs(min(reach, 1.0) * (1 + 1e-9), output_type="ndarray")
    distances = nearest_distances(positions[pairs[:, 0]], positions[pairs[:, 1]], cell)
    near = distances <= within
    return pairs[near], distances[near]
