"""The templates of a phase as the search takes them: the strongest cells of their polar patterns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from difsims_core.kernels.matching import correlate as profile_kernels
from difsims_core.kernels.matching import turns
from difsims_core.learn.matching.grid import TemplateGrid
from difsims_core.learn.matching.raised import raised
from difsims_core.learn.matching.smooth import without_smooth

_FEW = 96  # cells that tell most templates apart


@dataclass(frozen=True, eq=False)
class SparseTemplates:
    """The strongest cells of the templates of one phase.

    Attributes
    ----------
    grid : TemplateGrid
        Which templates there are.
    shape : tuple of int
        Of a polar pattern, (n_q, n_φ).
    cell : (m, c) uint16
        Number of each cell, radius · n_φ + azimuth, increasing.
    amplitude : (m, c) float32
        Amplitudes there, of norm 1; zeros fill a template of fewer cells.
    """

    grid: TemplateGrid
    shape: tuple[int, int]
    cell: np.ndarray
    amplitude: np.ndarray

    @classmethod
    def of(cls, grid: TemplateGrid, runs: Iterable[np.ndarray], cells: int, power: float) -> SparseTemplates:
        """Keep the strongest ``cells``, a multiple of 8, of polar patterns (n, n_q, n_φ), given run by run."""
        parts, shape = [], (0, 0)
        for patterns in runs:
            shape = patterns.shape[1:]
            parts.append(_strongest(raised(patterns, power).reshape(len(patterns), -1), cells))
        cell, amplitude = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return cls(grid, shape, cell, amplitude.astype(np.float16).astype(np.float32))  # as it is stored

    @cached_property
    def offset(self) -> np.ndarray:
        """(ways, m, c) uint16: places of the cells in a pattern that is laid out twice; plain, and mirrored."""
        n = np.uint16(self.shape[1])
        radius, azimuth = np.divmod(self.cell, n)
        ways = [azimuth, np.uint16(n - 1) - azimuth] if self.grid.mirrors else [azimuth]
        return np.stack([radius * np.uint16(2 * n) + way for way in ways])

    @cached_property
    def profiles(self) -> np.ndarray:
        """(n_q, m) float32: sums over the azimuth without what is smooth, of norm 1; n_q padded for the kernel."""
        m, n_q = len(self.cell), self.shape[0]
        radius = self.cell // self.shape[1] + np.arange(m)[:, None] * n_q
        summed = np.bincount(radius.ravel(), self.amplitude.ravel(), m * n_q).reshape(m, n_q)
        return np.ascontiguousarray(padded(without_smooth(summed)).T)

    @cached_property
    def few(self) -> SparseTemplates:
        """The same templates by the strongest of their cells alone."""
        n = min(_FEW, self.cell.shape[1])
        places = np.sort(np.argpartition(self.amplitude, -n, axis=1)[:, -n:], axis=1)
        cell, amplitude = (np.take_along_axis(values, places, axis=1) for values in (self.cell, self.amplitude))
        return SparseTemplates(self.grid, self.shape, cell, unit(amplitude))


def unit(rows: np.ndarray) -> np.ndarray:
    """Return (n, m) float32 rows of norm 1; zeros stay.

    >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(norm > 0, norm, 1)).astype(np.float32)


def padded(profiles: np.ndarray) -> np.ndarray:
    """Return profiles (n, n_q) of norm 1, with zeros up to a multiple of what the kernel takes, float32.

    >>> padded(np.array([[2.0]])).tolist()
    [[1.0, 0.0, 0.0, 0.0]]
    """
    return np.pad(unit(profiles), ((0, 0), (0, -profiles.shape[1] % profile_kernels.TOGETHER)))


def _strongest(amplitudes: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the (n, c) numbers and amplitudes of the strongest cells of (n, n_q · n_φ), of norm 1."""
    cells = min(cells, amplitudes.shape[1] // turns.TOGETHER * turns.TOGETHER)
    cell = np.sort(np.argpartition(amplitudes, -cells, axis=1)[:, -cells:], axis=1)
    return cell.astype(np.uint16), unit(np.take_along_axis(amplitudes, cell, axis=1))
