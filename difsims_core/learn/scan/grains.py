"""The grains of a scan and what the classifier says of each, while the scan is read once (docs/physics.md §12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from difsims_core.learn.scan.evidence import Evidence, OpenRegions, together
from difsims_core.learn.scan.regions import Limits, Regions
from difsims_core.learn.scan.vectors import PatternVectors, length_of

_BAND_BYTES = 2**26  # of patterns
_FEWEST_ROWS = 4
_AT_ONCE = 512  # mean patterns that are classified together

OfPatterns = Callable[[np.ndarray], np.ndarray]
"""Probabilities (n, n_phases) of measured patterns (n, n_q) or (n, n_q, n_φ), rows of NaN where nothing can be said."""


@dataclass(frozen=True, eq=False)
class Grains:
    """Which pixels show one pattern, and what all of them say together.

    Attributes
    ----------
    number : (…) int32
        Of the grain of each pixel, in the order of their first pixels; −1 where a pixel resembles no neighbour or
        cannot be used.
    probabilities : (…, n_phases) float32
        Of the grain of each pixel, or of the pixel itself where it belongs to none.
    """

    number: np.ndarray
    probabilities: np.ndarray


class GrainSearch:
    """Finds the grains of a scan whose pixels come row by row.

    Parameters
    ----------
    shape
        Of the scan: (ny, nx), or (n,) along a line.
    n_phases
        Number of phases.
    classify
        Says what mean patterns show.
    """

    def __init__(self, shape: tuple[int, ...], n_phases: int, classify: OfPatterns) -> None:
        self._shape, self._classify = shape, classify
        self._nx = shape[1] if len(shape) == 2 else 1
        n = int(np.prod(shape))
        self._region, self._parent = np.full(n, -1), np.arange(n)
        self._probabilities = np.full((n, n_phases), np.nan, np.float32)
        self._done, self._n_waiting = 0, 0
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []
        self._vectors: PatternVectors | None = None
        self._regions: Regions | None = None
        self._open = OpenRegions()
        self._finished: dict[int, Evidence] = {}
        self._of_grain: dict[int, np.ndarray] = {}

    def add(self, patterns: np.ndarray, usable: np.ndarray, probabilities: np.ndarray) -> None:
        """Add the next pixels.

        Parameters
        ----------
        patterns
            (m, n_q) or (m, n_q, n_φ), as measured.
        usable
            (m,) bool: those that can be classified.
        probabilities
            (m, n_phases) float32 of each pixel.
        """
        self._probabilities[self._done + self._n_waiting :][: len(patterns)] = probabilities
        self._waiting.append((patterns, usable))
        self._n_waiting += len(patterns)
        row_bytes = self._nx * patterns[0].size * 4
        band = self._nx * max(_FEWEST_ROWS, _BAND_BYTES // row_bytes)
        left = len(self._region) - self._done
        while self._n_waiting >= min(band, left) > 0:
            self._add_band(min(band, left))
            left = len(self._region) - self._done

    def found(self) -> Grains:
        """Return the grains, when all pixels are added."""
        self._classify_finished()
        parent = self._parent
        while not np.array_equal(parent, parent[parent]):
            parent = parent[parent]
        region = np.where(self._region >= 0, parent[self._region], -1)
        known = np.isin(region, list(self._of_grain))
        numbers, first, place = np.unique(region[known], return_index=True, return_inverse=True)
        rank = np.empty(len(numbers), np.int64)
        rank[np.argsort(first)] = np.arange(len(numbers))
        grain = np.full(len(region), -1, np.int32)
        grain[known] = rank[place]
        if len(numbers):
            self._probabilities[known] = np.stack([self._of_grain[number] for number in numbers.tolist()])[place]
        return Grains(grain.reshape(self._shape), self._probabilities.reshape(*self._shape, -1))

    def _add_band(self, m: int) -> None:
        patterns, usable = self._next_pixels(m)
        if self._regions is None:
            self._regions = Regions(self._nx, length_of(patterns.shape[1:]))
        if self._vectors is None and usable.sum() > 1:
            self._vectors = PatternVectors.of(patterns[usable])
        if self._vectors is None:  # nothing to compare so far
            vectors, limits = np.zeros((m, length_of(patterns.shape[1:])), np.float32), Limits(1.0, 1.0, 0.0)
        else:
            vectors, limits = self._vectors.of_patterns(patterns), self._vectors.limits
        pixels = slice(self._done, self._done + m)
        self._done += m
        band = self._regions.add(vectors, usable.reshape(-1, self._nx), limits, last=self._done == len(self._region))
        self._region[pixels] = band.region
        for number, into in band.joined.items():
            self._parent[number] = into
        self._finished |= self._open.add(band, patterns, self._probabilities[pixels])
        if len(self._finished) >= _AT_ONCE:
            self._classify_finished()

    def _next_pixels(self, m: int) -> tuple[np.ndarray, np.ndarray]:
        patterns, usable = (np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
        self._waiting = [(patterns[m:], usable[m:])]
        self._n_waiting -= m
        return patterns[:m], usable[:m]

    def _classify_finished(self) -> None:
        if not self._finished:
            return
        evidence = [*self._finished.values()]
        means = np.stack([item.pattern / item.weight for item in evidence])
        probabilities = together(self._classify(means), evidence)
        self._of_grain |= dict(zip(self._finished, probabilities, strict=True))
        self._finished = {}
