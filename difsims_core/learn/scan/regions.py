"""Regions of a scan that show one pattern, found in one pass over bands of rows (docs/physics.md §12)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from difsims_core.kernels.scan import grains as kernels

_LEAST_WEIGHT, _POWER_OF_WEIGHT = 0.05, 4  # of the part that a pixel shares: those of boundaries have little to say
_TOUCHING = ((0, 1), (1, -1), (1, 0), (1, 1))
_NEAR = (*_TOUCHING, (0, 2), (2, 0))
_BEHIND = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """What patterns must have in common.

    Attributes
    ----------
    likeness
        Of regions that are merged.
    part
        Of its pattern that a single pixel shares with the region that takes it in.
    product
        The least product of two vectors that noise does not make.
    """

    likeness: float
    part: float
    product: float


@dataclass(frozen=True, eq=False)
class MergedBand:
    """What became of the pixels of a band.

    Attributes
    ----------
    region : (m,) int64
        Number of the region of each pixel, −1 where it cannot be used: that of one of its pixels, counted from the
        first of the scan.
    weight : (m,) float64
        How much a pixel has to say for its region, 0 … 1.
    joined : dict
        Regions of earlier bands that have become part of others, and of which.
    finished : (n,) int64
        Regions that no pixel can join any more.
    """

    region: np.ndarray
    weight: np.ndarray
    joined: dict[int, int]
    finished: np.ndarray


@dataclass(eq=False)
class _Nodes:
    """Regions, and what is known of their patterns (`kernels.merge_regions`)."""

    number: np.ndarray
    sums: np.ndarray
    squares: np.ndarray
    sizes: np.ndarray
    strength: np.ndarray

    @classmethod
    def none(cls, length: int) -> _Nodes:
        integers, numbers = np.empty(0, np.int64), np.empty(0)
        return cls(integers, np.empty((0, length), np.float32), numbers, integers, numbers)

    def __getitem__(self, which: np.ndarray) -> _Nodes:
        return _Nodes(*(getattr(self, field.name)[which] for field in fields(self)))

    def followed_by(self, number: np.ndarray, vectors: np.ndarray, places: np.ndarray, strength: np.ndarray) -> _Nodes:
        """Return these regions and, of some pixels, those of one pixel each."""
        n = len(self.number)
        sums = np.empty((n + len(places), vectors.shape[1]), np.float32)
        sums[:n] = self.sums
        np.take(vectors, places, axis=0, out=sums[n:])
        squares = np.empty(len(places))
        kernels.products(vectors, vectors, places, places, squares)
        return _Nodes(
            np.concatenate([self.number, number]),
            sums,
            np.concatenate([self.squares, squares]),
            np.concatenate([self.sizes, np.ones(len(places), np.int64)]),
            np.concatenate([self.strength, strength[places]]),
        )


class Regions:
    """Merges the pixels of a scan, band by band from the top.

    Parameters
    ----------
    nx, length
        Pixels in a row, and values of the vector of a pattern.
    """

    def __init__(self, nx: int, length: int) -> None:
        self._n_seen = 0
        self._open = _Nodes.none(length)
        self._open_at = np.full((1, nx), -1)  # place in it of each pixel of the row before
        self._behind, self._behind_usable = np.empty((0, length), np.float32), np.zeros((0, nx), bool)

    def add(self, vectors: np.ndarray, usable: np.ndarray, limits: Limits, *, last: bool) -> MergedBand:
        """Merge a band.

        Parameters
        ----------
        vectors
            (m, length) float32, of its pixels row by row.
        usable
            (rows, nx) bool: pixels that have a pattern.
        limits
            What patterns of a region have in common.
        last
            Whether it is the last one.
        """
        places = np.flatnonzero(usable)
        n_open = len(self._open.number)
        nodes = self._open.followed_by(self._n_seen + places, vectors, places, self._strengths(vectors, usable))
        squares = nodes.squares[n_open:].copy()
        at = np.full(usable.shape, -1)
        at.ravel()[places] = n_open + np.arange(len(places))
        pairs = np.concatenate([*_neighbours(np.concatenate([self._open_at, at]), _TOUCHING)])
        pairs = _most_alike_first(nodes, pairs[pairs.max(axis=1, initial=-1) >= n_open])
        root = _merge(nodes, pairs, limits)
        summed = root.copy()
        _take_in_single_ones(nodes, pairs, root, limits)
        region, weight = np.full(usable.size, -1), np.zeros(usable.size)
        region[places] = nodes.number[root[n_open:]]
        own = np.where(root == summed, 1, 0)[n_open:]
        weight[places] = _weights(nodes, vectors, places, root[n_open:], own, own * squares)
        joined = {int(nodes.number[i]): int(nodes.number[root[i]]) for i in range(n_open) if root[i] != i}
        finished = self._keep(nodes, root, at[-1], last=last)
        self._n_seen += usable.size
        kept = usable[-_BEHIND:]
        self._behind, self._behind_usable = vectors[-kept.size :].copy(), kept
        return MergedBand(region, weight, joined, finished)

    def _strengths(self, vectors: np.ndarray, usable: np.ndarray) -> np.ndarray:
        """Return (m,) the second largest product of each pixel with those near it: what one of its grain gives."""
        n_behind, m = self._behind_usable.size, usable.size
        all_usable = np.concatenate([self._behind_usable, usable])
        at = np.where(all_usable, np.arange(all_usable.size).reshape(all_usable.shape), -1)
        found = np.full((2 * len(_NEAR), m), -np.inf)
        for place, (upper, lower) in enumerate(pair.T for pair in _neighbours(at, _NEAR)):
            for behind in (False, True):
                which = ((upper < n_behind) == behind) & (lower >= n_behind)
                one, other, out = upper[which], lower[which] - n_behind, np.empty(int(which.sum()))
                one = one if behind else one - n_behind
                kernels.products(self._behind if behind else vectors, vectors, one, other, out)
                found[2 * place, other] = out
                if not behind:
                    found[2 * place + 1, one] = out
        largest = np.sort(found, axis=0)[-2:]
        return np.where(np.isfinite(largest[0]), largest[0], np.maximum(largest[1], 0))

    def _keep(self, nodes: _Nodes, root: np.ndarray, row: np.ndarray, *, last: bool) -> np.ndarray:
        """Keep the regions that the last row touches; return the numbers of all others."""
        all_roots = np.unique(root)
        kept = np.unique(root[row[row >= 0]]) if not last else all_roots[:0]
        self._open = nodes[kept]
        self._open_at = np.where(row >= 0, np.searchsorted(kept, root[row]), -1)[None] if len(root) else row[None]
        return nodes.number[np.setdiff1d(all_roots, kept)]


def _neighbours(at: np.ndarray, offsets: tuple[tuple[int, int], ...]) -> Iterator[np.ndarray]:
    """Yield, for each offset, (m, 2) nodes of neighbouring pixels of a grid (rows, nx) of nodes; −1: no node."""
    n_rows, nx = at.shape
    for dy, dx in offsets:
        upper = at[: max(n_rows - dy, 0), max(-dx, 0) : max(nx - max(dx, 0), 0)]
        lower = at[dy:, max(dx, 0) : max(nx + min(dx, 0), 0)]
        pairs = np.stack([upper.ravel(), lower.ravel()], axis=1)
        yield pairs[(pairs >= 0).all(axis=1)]


def _most_alike_first(nodes: _Nodes, pairs: np.ndarray) -> np.ndarray:
    product = np.empty(len(pairs))
    kernels.products(nodes.sums, nodes.sums, pairs[:, 0], pairs[:, 1], product)
    strength = nodes.strength[pairs].sum(axis=1)
    likeness = product / nodes.sizes[pairs].prod(axis=1) / np.where(strength > 0, strength, np.inf)
    return np.ascontiguousarray(pairs[np.argsort(-likeness, kind="stable")])


def _merge(nodes: _Nodes, pairs: np.ndarray, limits: Limits) -> np.ndarray:
    """Merge regions until none is left to be merged, in place; return the root of each node."""
    parent = np.arange(len(nodes.number))
    while kernels.merge_regions(
        nodes.sums, nodes.squares, nodes.sizes, nodes.strength, pairs, parent, limits.likeness, limits.product
    ):
        pass
    root = np.empty_like(parent)
    kernels.roots_of(parent, root)
    return root


def _take_in_single_ones(nodes: _Nodes, pairs: np.ndarray, root: np.ndarray, limits: Limits) -> None:
    """Give single pixels to the neighbouring region that most of their pattern is of; it is not added to its sums."""
    single, region = np.concatenate([pairs, pairs[:, ::-1]]).T
    region = root[region]
    which = (nodes.sizes[root[single]] == 1) & (nodes.sizes[region] > 1) & (nodes.strength[region] > 0)
    single, region = single[which], region[which]
    product = np.empty(len(single))
    kernels.products(nodes.sums, nodes.sums, single, region, product)
    mean = product / nodes.sizes[region]
    part = mean / nodes.strength[region]
    enough = (part >= limits.part) & (mean * np.sqrt(nodes.sizes[region]) >= limits.product)
    order = np.flatnonzero(enough)[np.argsort(part[enough], kind="stable")]
    root[single[order]] = region[order]  # the last one, of which the largest part is, stays


def _weights(
    nodes: _Nodes, vectors: np.ndarray, places: np.ndarray, root: np.ndarray, n_own: np.ndarray, own: np.ndarray
) -> np.ndarray:
    """Return the power of the part of each pixel's pattern that the rest of its region shows; 1 of a single pixel.

    ``n_own`` and ``own``: 1 and the square of its vector, where a pixel is in the sums of its region.
    """
    product = np.empty(len(root))
    kernels.products(vectors, nodes.sums, places, root, product)
    others, strength = nodes.sizes[root] - n_own, nodes.strength[root]
    known = (others > 0) & (strength > 0)
    part = (product - own) / np.where(known, others * strength, 1)
    return np.where(known, np.clip(part, _LEAST_WEIGHT, 1) ** _POWER_OF_WEIGHT, 1)
