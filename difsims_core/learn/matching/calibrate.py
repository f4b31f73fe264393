"""Scores as probabilities: a softmax with a scale and an offset for each phase, fitted on labelled patterns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_WEAK = 1e-3  # pulls the offset of a phase that no pattern speaks of to 0


@dataclass(frozen=True, eq=False)
class Calibration:
    """How scores become probabilities.

    Attributes
    ----------
    scale : float
        Of the differences of scores.
    offset : (k,) float64
        Of each phase: one that has many templates finds something similar in any pattern.
    """

    scale: float
    offset: np.ndarray

    @classmethod
    def fit(cls, scores: np.ndarray, classes: np.ndarray) -> Calibration:
        """Return the likeliest for scores (n, k) of patterns of known classes (n,)."""
        from scipy.optimize import minimize

        n, k = scores.shape
        spread = float(scores.std()) or 1.0
        scaled, own = scores / spread, np.eye(k)[classes]

        def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
            logits = np.exp(values[0]) * scaled + values[1:]
            shifted = logits - logits.max(axis=1, keepdims=True)
            odds = np.exp(shifted)
            total = odds.sum(axis=1, keepdims=True)
            wrong = (odds / total - own) / n
            value = np.mean(np.log(total[:, 0]) - np.sum(shifted * own, axis=1)) + _WEAK * np.sum(values[1:] ** 2)
            slope = np.exp(values[0]) * np.sum(wrong * scaled)
            return value, np.concatenate([[slope], wrong.sum(axis=0) + 2 * _WEAK * values[1:]])

        bounds = [(-4.0, 7.0), *([(-50.0, 50.0)] * k)]
        found = minimize(loss, np.zeros(k + 1), jac=True, method="L-BFGS-B", bounds=bounds).x
        return cls(float(np.exp(found[0])) / spread, found[1:])

    def logits(self, scores: np.ndarray) -> np.ndarray:
        """Return (n, k) float64, the logarithms of probabilities but for a constant."""
        return self.scale * scores.astype(np.float64) + self.offset

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """Return (n, k) float32 of scores (n, k)."""
        logits = self.logits(scores)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)

    def save(self) -> np.ndarray:
        """Return (1 + k,) float64."""
        return np.concatenate([[self.scale], self.offset])

    @classmethod
    def load(cls, values: np.ndarray) -> Calibration:
        """Return what `save` returned."""
        return cls(float(values[0]), values[1:])


def reliability(scores: np.ndarray) -> np.ndarray:
    """Return (n,) float32: 1 − (best of the other phases / best), of scores (n, k); 0 where nothing matches.

    >>> reliability(np.array([[0.5, 0.25], [0.0, 0.0]])).tolist()
    [0.5, 0.0]
    """
    second, best = np.sort(scores, axis=1)[:, -2:].T
    ratio = np.divide(second, best, out=np.ones_like(best), where=best > 0)
    return (1 - np.clip(ratio, 0, 1)).astype(np.float32)
