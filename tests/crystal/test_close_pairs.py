"""Close atoms are those that a k-d tree finds among the lattice repeats, each pair once."""

import numpy as np
import pytest
from scipy.spatial import KDTree

from difsims_core.crystal.cell import UnitCell, close_pairs

CELLS = [UnitCell(4, 5, 30, 90, 90, 90), UnitCell(9, 9, 14, 90, 90, 120), UnitCell(7, 8, 9, 75, 82, 104)]


def pairs_of_a_tree(positions: np.ndarray, cell: UnitCell, within: float) -> dict[tuple[int, int], float]:
    """Return the smallest distance of each pair, of all repeats in the cells around."""
    steps = np.array(np.meshgrid(*[(-1, 0, 1)] * 3)).reshape(3, -1).T
    inside = positions - np.floor(positions)
    around = (inside[:, None] + steps).reshape(-1, 3) @ cell.base
    found = KDTree(inside @ cell.base).sparse_distance_matrix(KDTree(around), within, output_type="coo_matrix")
    pairs: dict[tuple[int, int], float] = {}
    for one, other, distance in zip(found.row.tolist(), (found.col // 27).tolist(), found.data.tolist(), strict=True):
        if one < other:
            pairs[one, other] = min(distance, pairs.get((one, other), np.inf))
    return pairs


@pytest.mark.parametrize("cell", CELLS, ids=str)
@pytest.mark.parametrize(("n", "within"), [(1, 2.0), (2, 1.9), (40, 0.1), (40, 1.9), (300, 0.4)])
def test_pairs_and_distances_are_those_of_a_tree(cell, n, within):
    positions = np.random.default_rng(n).uniform(-1.5, 1.5, (n, 3))
    positions[: n // 3] = positions[-1] + np.random.default_rng(5).normal(0, 0.01, (n // 3, 3))  # a cluster
    positions[: n // 4, 2] = -1e-18  # on a face of the cell
    expected = pairs_of_a_tree(positions, cell, within)
    pairs, distances = close_pairs(positions, cell, within)
    assert [tuple(pair) for pair in pairs.tolist()] == sorted(expected)
    np.testing.assert_allclose(distances, [expected[pair] for pair in sorted(expected)], atol=1e-6)


def test_nothing_is_near_nothing():
    pairs, distances = close_pairs(np.empty((0, 3)), CELLS[0], 1.0)
    assert pairs.shape == (0, 2)
    assert distances.shape == (0,)
