"""Polar patterns as matching takes them: what rises above its ring, to a small power (docs/physics.md §12)."""

from __future__ import annotations

import numpy as np


def raised(patterns: np.ndarray, power: float) -> np.ndarray:
    """Return what of polar patterns rises above the noise of its ring, to a power, scaled to a maximum of 1.

    The level of a ring is its median and, above it, as much as lies between that and its 16th percentile: what noise
    alone makes is mostly below. Spots do not move either. Against the square root, a small power compares where spots
    are more than how bright they are, which for dynamical intensities tells little.

    Parameters
    ----------
    patterns
        (n, n_q, n_φ) intensities of any scale, finite.
    power
        Above 0, at most 1.

    Returns
    -------
    (n, n_q, n_φ) float32, the same for any offset and scale; zeros of a pattern that nowhere rises.

    >>> pattern = np.zeros((1, 2, 8))
    >>> pattern[0, 1, 3] = 16
    >>> raised(5 + pattern, 0.25)[0, 1].tolist()
    [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    """
    patterns = np.asarray(patterns, np.float32)
    n = patterns.shape[2]
    ordered = np.sort(patterns, axis=2)
    middle = (ordered[:, :, (n - 1) // 2] + ordered[:, :, n // 2]) / 2
    level = 2 * middle - ordered[:, :, n * 4 // 25]
    above = np.maximum(patterns - level[:, :, None], 0)
    top = above.max(axis=(1, 2), keepdims=True)
    return (above / np.where(top > 0, top, 1)) ** np.float32(power)
