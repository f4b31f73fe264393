"""Patterns as vectors whose scalar product tells whether two of them show the same (docs/physics.md §12)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from difsims_core.kernels.scan.grains import LANES

_POWER = 0.75  # of the intensity of a ring: between weights for noise of its own (1/2) and for contrast (1)
_LEAST_RING = 1e-3  # of the brightest
_SIGNIFICANT = 5.0  # standard deviations: of few counts some products come near four by chance


@dataclass(frozen=True, eq=False)
class PatternVectors:
    """How patterns of one scan become vectors.

    A polar pattern is taken without the mean of each ring, so that what is the same all around has no say: patterns
    without spots are all noise. A profile has no more than its shape, from which that of the scan is taken. Rings are
    weighted by their mean intensity to the power −3/4.

    Attributes
    ----------
    weight : (n_q, 1) or (n_q,) float32
        Of each ring.
    level : (n_q,) float32, optional
        Mean profile, of profiles.
    least_product : float
        The least product of two vectors that noise does not make.
    """

    weight: np.ndarray
    level: np.ndarray | None
    least_product: float

    @classmethod
    def of(cls, patterns: np.ndarray) -> PatternVectors:
        """Look at some patterns of the scan (n, n_q, n_φ) or (n, n_q), neighbours one after the other."""
        polar = patterns.ndim == 3
        level = None if polar else _shapes(patterns).mean(axis=0, dtype=np.float64).astype(np.float32)
        ring = np.maximum(patterns.mean(axis=(0, 2)) if level is None else level, 0).astype(np.float64)
        ring[~np.isfinite(ring)] = 0
        weight = (np.maximum(ring, _LEAST_RING * ring.max(initial=0)) + np.finfo(np.float32).tiny) ** -_POWER
        weight = (weight / weight.max(initial=1)).astype(np.float32)
        found = cls(weight[:, None] if polar else weight, level, 0.0)
        return cls(found.weight, level, _SIGNIFICANT * _noise(found.centred(patterns)))

    def centred(self, patterns: np.ndarray) -> np.ndarray:
        """Return patterns above their rings, or above the mean profile, weighted; of the same shape, float32."""
        above = (
            patterns - patterns.mean(axis=-1, keepdims=True) if self.level is None else _shapes(patterns) - self.level
        )
        return np.nan_to_num(above * self.weight, posinf=0.0, neginf=0.0).astype(np.float32, copy=False)

    def fill(self, patterns: np.ndarray, out: np.ndarray) -> None:
        """Write the vectors of patterns into ``out`` (n, `length_of`), zeros beyond their ends."""
        n_values = int(np.prod(patterns.shape[1:]))
        out[:, :n_values] = self.centred(patterns).reshape(len(patterns), -1)
        out[:, n_values:] = 0


def length_of(shape: tuple[int, ...]) -> int:
    """Return how long the vectors of patterns of a shape are."""
    return -(-int(np.prod(shape)) // LANES) * LANES


def _shapes(profiles: np.ndarray) -> np.ndarray:
    mean = profiles.mean(axis=-1, keepdims=True)
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
