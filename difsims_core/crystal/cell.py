"""The unit cell of a crystal in its Cartesian frame: a along x, c* along z, as orix has it (docs/physics.md §3).

And the distances between atoms in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

SAME_ATOM_ANGSTROM = 0.1
"""Positions that are so close are the same atom; no two atoms are, but the halves of a split site."""
_DECIMALS = 12  # of the axes, as orix rounds them


@dataclass(frozen=True)
class UnitCell:
    """Lengths and angles of a unit cell.

    Attributes
    ----------
    a, b, c : float
        Å.
    alpha, beta, gamma : float
        Degrees.
    """

    a: float
    b: float
    c: float
    alpha: float
    beta: float
    gamma: float

    def __str__(self) -> str:
        lengths, angles = (", ".join(f"{value:g}" for value in values) for values in (self.lengths, self.angles))
        return f"{lengths} Å; {angles}°"

    @property
    def lengths(self) -> tuple[float, float, float]:
        """a, b, c in Å."""
        return self.a, self.b, self.c

    @property
    def angles(self) -> tuple[float, float, float]:
        """α, β, γ in degrees."""
        return self.alpha, self.beta, self.gamma

    @cached_property
    def metric(self) -> np.ndarray:
        """(3, 3) scalar products of the axes, Å²."""
        cosines = np.cos(np.radians(self.angles))
        cosines[np.isclose(self.angles, 90)] = 0.0
        unit = np.eye(3)
        unit[1, 2] = unit[2, 1] = cosines[0]
        unit[0, 2] = unit[2, 0] = cosines[1]
        unit[0, 1] = unit[1, 0] = cosines[2]
        return unit * np.outer(self.lengths, self.lengths)

    @cached_property
    def volume(self) -> float:
        """Å³; zero where the angles make no cell."""
        return float(np.sqrt(max(np.linalg.det(self.metric), 0.0)))

    @cached_property
    def base(self) -> np.ndarray:
        """(3, 3) axes a, b, c as rows, Å."""
        metric = self.metric
        ax = self.a
        bx = metric[0, 1] / ax
        by = np.sqrt(metric[1, 1] - bx**2)
        cx = metric[0, 2] / ax
        cy = (metric[1, 2] - bx * cx) / by
        base = np.array([[ax, 0, 0], [bx, by, 0], [cx, cy, np.sqrt(metric[2, 2] - cx**2 - cy**2)]])
        return base.round(_DECIMALS)

    @cached_property
    def reciprocal(self) -> np.ndarray:
        """(3, 3) reciprocal axes a*, b*, c* as rows, Å⁻¹."""
        return np.linalg.inv(self.base).T


def nearest_distances(positions: np.ndarray, place: np.ndarray, cell: UnitCell) -> np.ndarray:
    """Return distances (…) of fractional positions (…, 3) to a place and its lattice repeats, Å.

    Exact for what is closer than half of the cell's smallest width.
    """
    offsets = positions - place
    return np.linalg.norm((offsets - np.round(offsets)) @ cell.base, axis=-1)


def close_pairs(positions: np.ndarray, cell: UnitCell, within: float) -> tuple[np.ndarray, np.ndarray]:
    """Return (n, 2) indices of positions closer than ``within`` Å, across the cell's faces too, and (n,) distances.

    Sorted along that axis of the cell on which the fewest have to be compared, each is compared with those that follow
    within reach. A k-d tree would need fewer comparisons, but SciPy takes longer to load it than all crystals that
    come along take to be read.
    """
    n = len(positions)
    places = positions % 1.0 % 1.0  # twice: a tiny negative number gives 1.0 the first time
    reaches = within * (1 + 1e-9) * np.linalg.norm(cell.reciprocal, axis=1)
    runs = [_followers(along, reach) for along, reach in zip(places.T, reaches, strict=True)]
    order, counts = min(runs, key=lambda run: run[1].sum())
    near: list[np.ndarray] = []
    for step in range(1, counts.max(initial=0) + 1):
        first = np.flatnonzero(counts >= step)
        one, other = order[first], order[(first + step) % n]
        close = nearest_distances(positions[one], positions[other], cell) <= within
        near.append(np.minimum(one, other)[close] * n + np.maximum(one, other)[close])
    pairs = np.stack(np.divmod(np.unique(np.concatenate([np.empty(0, np.int64), *near])), max(n, 1)), axis=1)
    return pairs, nearest_distances(positions[pairs[:, 0]], positions[pairs[:, 1]], cell)


def _followers(along: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the order of (n,) places on a circle of length 1, and how many follow each within a distance."""
    order = np.argsort(along, kind="stable")
    twice = np.concatenate([along[order], along[order] + 1.0])
    counts = np.searchsorted(twice, along[order] + reach, side="right") - np.arange(len(along)) - 1
    return order, np.minimum(counts, len(along) - 1)
