"""Patterns as vectors whose scalar product tells whether two of them show the same (docs/physics.md §12)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from difsims_core.kernels.scan.grains import LANES, fill_vectors
from difsims_core.learn.scan.regions import Limits

_POWER = 0.75  # of the intensity of a ring: between weights for noise of its own (1/2) and for contrast (1)
_LEAST_RING = 1e-3  # of the brightest
_POLAR = Limits(0.7, 0.5, 0.0)  # a pixel that is half of one grain, half of another is 0.67 like each
_PROFILES = Limits(0.85, 0.75, 0.0)  # those of other grains have rings in common
_SIGNIFICANT = 5.0  # standard deviations: of few counts some products come near four by chance


@dataclass(frozen=True, eq=False)
class PatternVectors:
    """How patterns of one scan become vectors.

    A polar pattern is taken without the mean of each ring, so that what is the same all around has no say: patterns
    without spots are all noise. A profile has no more than its shape, from which that of the scan is taken. Rings are
    weighted by their mean intensity to the power −3/4.

    Attributes
    ----------
    weight, level : (n_q,) float32
        Of each ring; the mean profile, zeros of polar patterns.
    limits : Limits
        What vectors of one grain have in common.
    """

    weight: np.ndarray
    level: np.ndarray
    limits: Limits

    @classmethod
    def of(cls, patterns: np.ndarray) -> PatternVectors:
        """Look at some patterns of the scan (n, n_q, n_φ) or (n, n_q), neighbours one after the other."""
        polar = patterns.ndim == 3
        shown = patterns if polar else _shapes(patterns)
        ring = shown.mean(axis=(0, 2) if polar else 0, dtype=np.float64)
        level = np.zeros(len(ring), np.float32) if polar else ring.astype(np.float32)
        ring = np.where(np.isfinite(ring), np.maximum(ring, 0), 0)
        weight = (np.maximum(ring, _LEAST_RING * ring.max()) + np.finfo(np.float32).tiny) ** -_POWER
        common = _POLAR if polar else _PROFILES
        found = cls((weight / weight.max()).astype(np.float32), level, common)
        vectors = found.of_patterns(patterns)[:, : patterns[0].size].reshape(len(patterns), len(ring), -1)
        return replace(found, limits=replace(common, product=_SIGNIFICANT * _noise(vectors)))

    def of_patterns(self, patterns: np.ndarray) -> np.ndarray:
        """Return the vectors of patterns (n, `length_of`) float32, zeros beyond their ends."""
        out = np.empty((len(patterns), length_of(patterns.shape[1:])), np.float32)
        fill_vectors(patterns.reshape(*patterns.shape[:2], -1), self.weight, self.level, out)
        return out


def length_of(shape: tuple[int, ...]) -> int:
    """Return how long the vectors of patterns of a shape are."""
    return -(-int(np.prod(shape)) // LANES) * LANES


def _shapes(profiles: np.ndarray) -> np.ndarray:
    mean = profiles.mean(axis=1, where=np.isfinite(profiles), keepdims=True)
    return profiles / np.where(mean > 0, mean, 1)


def _noise(vectors: np.ndarray) -> float:
    """Return the standard deviation of the product of two vectors that share nothing.

    By how neighbours differ: the half of them that differs less, in which few pairs are of two grains.
    """
    if len(vectors) < 2:
        return 0.0
    squares = (np.diff(vectors, axis=0) ** 2 / 2).reshape(len(vectors) - 1, vectors.shape[1], -1)
    alike = np.argsort(squares.sum(axis=(1, 2)), kind="stable")[: max(1, len(squares) // 2)]
    variance = squares[alike].mean(axis=(0, 2), dtype=np.float64)
    return float(np.sqrt(squares.shape[2] * (variance**2).sum()))
