"""How well grains that were found are those that are there."""

from __future__ import annotations

import numpy as np


def agreement(true: np.ndarray, found: np.ndarray) -> float:
    """Return the adjusted Rand index; pixels of no grain are each on its own (L. Hubert, P. Arabie, 1985)."""
    found = np.where(found < 0, -2 - np.arange(len(found)), found)
    (_, i), (_, j) = (np.unique(labels, return_inverse=True) for labels in (true, found))
    table = np.zeros((i.max() + 1, j.max() + 1))
    np.add.at(table, (i, j), 1)
    both, one, other = ((n * (n - 1) / 2).sum() for n in (table, table.sum(1), table.sum(0)))
    expected = one * other / (len(true) * (len(true) - 1) / 2)
    return float((both - expected) / ((one + other) / 2 - expected))


def purity(true: np.ndarray, found: np.ndarray) -> float:
    """Return how many pixels of the grains that were found are of the true grain that most of it is of."""
    kept = found >= 0
    right = sum(np.unique(true[found == k], return_counts=True)[1].max() for k in np.unique(found[kept]))
    return right / kept.sum()
