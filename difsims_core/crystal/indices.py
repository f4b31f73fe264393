"""Which reflections lie within a distance of the origin: of each pair g, −g one, in rows along an axis."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from difsims_core.errors import CrystalError

MOST_REFLECTIONS = 1e7  # some 100 bytes each while their |F|² are computed: a gigabyte
_MOST_INDEX = np.iinfo(np.int16).max
_SLACK = 1e-12  # on the square of the radius: a reflection at the radius itself belongs to it, whatever the rounding


@dataclass(frozen=True, slots=True)
class FriedelHalf:
    """Of each pair of lattice points g, −g within a ball the one whose first non-zero index is positive.

    The origin comes first. Points are ordered by their indices along ``axes``, so that the reverse of them, negated,
    goes on where they begin: see ``mirrored``.

    Attributes
    ----------
    axes : (3, 3) float64
        Reciprocal axes as rows, Å⁻¹, the one along which rows of points run last.
    order : (3,) int64
        Which of a*, b*, c* each axis is.
    rows : (m, 4) int64
        Indices along the first two axes of each row of points, lowest and highest index along the third.
    """

    axes: np.ndarray
    order: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        return int(np.sum(self.rows[:, 3] - self.rows[:, 2] + 1))

    def hkl(self) -> np.ndarray:
        """Return (n, 3) int64 Miller indices."""
        row, third = _ranges(self.rows[:, 2], self.rows[:, 3])
        hkl = np.empty((len(row), 3), np.int64)
        hkl[:, self.order[:2]] = self.rows[row, :2]
        hkl[:, self.order[2]] = third
        return hkl

    def lengths(self) -> np.ndarray:
        """Return (n,) lengths |g|, Å⁻¹."""
        row, third = _ranges(self.rows[:, 2], self.rows[:, 3])
        square = np.zeros(len(row))
        for first, second, along in self.axes.T:
            across = self.rows[:, 0] * first + self.rows[:, 1] * second
            square += (across[row] + third * along) ** 2
        return np.sqrt(square)

    def parts(self, most: int) -> Iterator[FriedelHalf]:
        """Yield runs of whole rows with about ``most`` points each."""
        before = np.cumsum(self.rows[:, 3] - self.rows[:, 2] + 1)
        edges = np.searchsorted(before, np.arange(most, before[-1], most))
        for rows in np.split(self.rows, np.unique(edges[edges > 0])):
            yield FriedelHalf(self.axes, self.order, rows)

    def all_rows(self) -> np.ndarray:
        """Return (2m − 1, 4) rows of all points, those of the other half included."""
        rows = self.rows.copy()
        rows[0, 2] = -rows[0, 3]
        return np.concatenate([-rows[:0:-1][:, [0, 1, 3, 2]], rows])


def mirrored(values: np.ndarray, sign: int = 1) -> np.ndarray:
    """Return values of all points, (2n − 1, …), from those of a Friedel half, (n, …), where that of −g is the same.

    ``sign`` −1: that of −g is the opposite.
    """
    return np.concatenate([sign * values[:0:-1], values])


def friedel_half(basis: np.ndarray, radius: float, name: str, *, along_longest_rows: bool = False) -> FriedelHalf:
    """Return half of the points hkl with |hkl @ basis| ≤ radius.

    Parameters
    ----------
    basis
        (3, 3) reciprocal axes a*, b*, c* as rows, Å⁻¹.
    radius
        Å⁻¹.
    name
        What an error calls the crystal.
    along_longest_rows
        Whether rows run along the shortest reciprocal axis instead of c*.

    Raises
    ------
    CrystalError
        If there are too many.
    """
    order = np.argsort(-np.linalg.norm(basis, axis=1), kind="stable") if along_longest_rows else np.arange(3)
    axes = np.ascontiguousarray(basis[order])
    # In a frame whose axes span c, then b and c, then all: |g|² = (h a₃)² + (h a₂ + k b₂)² + (h a₁ + k b₁ + l c₁)²
    (c1, b1, a1), (_, b2, a2), (_, _, a3) = np.linalg.qr(axes[::-1].T).R
    _check_number(radius, abs(a3), abs(b2), abs(c1), name)
    square = radius**2 * (1 + _SLACK)
    h = np.arange(math.floor(math.sqrt(square) / abs(a3)) + 1)
    of_h, j = _ranges(*_between(h * a2, square - (h * a3) ** 2, b2, h == 0))
    h = h[of_h]
    low, high = _between(h * a1 + j * b1, square - (h * a3) ** 2 - (h * a2 + j * b2) ** 2, c1, (h == 0) & (j == 0))
    rows = np.stack([h, j, low, high], axis=1)[high >= low]
    if np.abs(rows).max() > _MOST_INDEX:
        raise CrystalError(
            f"{name}: reflections within {radius:g} Å⁻¹ have indices up to {np.abs(rows).max()}, at most "
            f"{_MOST_INDEX} can be",
            "an axis is too long: use a smaller detector or q_max, or a shorter cell",
        )
    return FriedelHalf(axes, order, rows)


def spanned_lattice(vectors: np.ndarray) -> np.ndarray:
    """Return (3, 3) int64 rows that span the lattice of all sums and differences of (n, 3) integer vectors.

    The rows are triangular. Of vectors that do not span space, identity rows stand for what is missing.
    """
    rows = [vector for vector in np.unique(vectors, axis=0) if vector.any()]
    basis = np.eye(3, dtype=np.int64)
    for axis in range(3):
        below = []
        pivot = np.zeros(3, np.int64)
        for row in rows:
            while row[axis]:  # Euclid
                pivot, row = row, pivot - (pivot[axis] // row[axis]) * row  # noqa: PLW2901
            if row.any():
                below.append(row)
        if pivot[axis]:
            basis[axis] = pivot
        rows = list(np.unique(below, axis=0)) if below else []
    return basis


def _check_number(radius: float, a: float, b: float, c: float, name: str) -> None:
    """Refuse too many reflections, or rows of them (a cell may be long and thin)."""
    volume = 1 / (a * b * c)
    expected = max(4 / 3 * math.pi * radius**3 * volume, math.pi * radius**2 / (a * b), 2 * radius / a)
    if expected > MOST_REFLECTIONS:
        raise CrystalError(
            f"{name}: about {expected:.2g} reflections lie within {radius:.3g} Å⁻¹ (cell of {volume:.3g} Å³), at most "
            f"{MOST_REFLECTIONS:g} fit into memory (1 GB)",
            "use a smaller detector or q_max, or the primitive cell",
        )


def _between(offset: np.ndarray, square: np.ndarray, step: float, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest i with (offset + i·step)² ≤ square; not below 0 where ``half``."""
    reach = np.sqrt(np.maximum(square, 0))
    low, high = np.sort([(-reach - offset) / step, (reach - offset) / step], axis=0)
    low = np.where(half, 0, np.ceil(low)).astype(np.int64)
    return low, np.where(square >= 0, np.floor(high), low - 1).astype(np.int64)


def _ranges(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all integers of the ranges low … high (m,), one after another: which range, and the integer."""
    sizes = np.maximum(high - low + 1, 0)
    which = np.repeat(np.arange(len(low)), sizes)
    return which, np.arange(len(which)) - np.repeat(np.cumsum(sizes) - sizes - low, sizes)
