"""Metrics of the probabilities themselves: whether a stated confidence can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from difsims_core.evaluate.base import Metric, Sums, ratio


@dataclass(frozen=True)
class LogLoss(Metric):
    """The mean of −ln p(label), natural logarithm; a uniform guess over k classes scores ln k.

    Attributes
    ----------
    floor
        Probabilities below it count as it, so that one confident mistake costs at most −ln(floor); the default is
        the resolution of float32, in which networks answer.
    """

    floor: float = 1.1920929e-07

    def measure(self, probabilities: np.ndarray, labels: np.ndarray) -> Sums:
        """Sum the loss."""
        assigned = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
        loss = -np.log(np.clip(assigned, self.floor, 1.0)).sum()
        return Sums({"n": np.array(labels.size), "loss": np.array(loss)})

    def finalise(self, sums: Sums, class_names: Sequence[str]) -> dict[str, Any]:  # noqa: ARG002
        """Return ``log_loss``."""
        return {"log_loss": ratio(float(sums["loss"]), float(sums["n"]))}


@dataclass(frozen=True)
class BrierScore(Metric):
    """The mean squared distance of the probability vector from the one-hot label: 0 (perfect) to 2 (surely wrong).

    References
    ----------
    Brier, Monthly Weather Review 78 (1950) 1, eq. 2: the sum over all classes, not its half.
    """

    def measure(self, probabilities: np.ndarray, labels: np.ndarray) -> Sums:
        """Sum the squared distances."""
        assigned = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
        squares = np.square(probabilities).sum(axis=1) - 2.0 * assigned + 1.0
        return Sums({"n": np.array(labels.size), "squares": np.array(squares.sum())})

    def finalise(self, sums: Sums, class_names: Sequence[str]) -> dict[str, Any]:  # noqa: ARG002
        """Return ``brier_score``."""
        return {"brier_score": ratio(float(sums["squares"]), float(sums["n"]))}


@dataclass(frozen=True)
class CalibrationError(Metric):
    """Expected calibration error of the highest probability: Σ_b n_b/n · |accuracy_b − confidence_b|.

    The bins are ``bins`` equal intervals of the confidence, (b/bins, (b+1)/bins]; each keeps its count, its hits and
    its summed confidence, which is all that merging needs.

    References
    ----------
    Guo et al., On calibration of modern neural networks, ICML 2017, eq. 3; 15 bins as there.
    """

    bins: int = 15

    def measure(self, probabilities: np.ndarray, labels: np.ndarray) -> Sums:
        """Sum count, hits and confidence of each bin."""
        confidence = probabilities.max(axis=1)
        hit = (probabilities.argmax(axis=1) == labels).astype(np.float64)
        which = np.clip(np.ceil(confidence * self.bins).astype(np.int64) - 1, 0, self.bins - 1)
        return Sums(
            {
                "n": np.bincount(which, minlength=self.bins),
                "hits": np.bincount(which, weights=hit, minlength=self.bins),
                "confidence": np.bincount(which, weights=confidence, minlength=self.bins),
            }
        )

    def finalise(self, sums: Sums, class_names: Sequence[str]) -> dict[str, Any]:  # noqa: ARG002
        """Return ``expected_calibration_error`` and the ``reliability`` diagram it comes from (None: empty bin)."""
        n, hits, confidence = sums["n"], sums["hits"], sums["confidence"]
        return {
            "expected_calibration_error": ratio(np.abs(hits - confidence).sum(), n.sum()),
            "reliability": {
                "edges": [b / self.bins for b in range(self.bins + 1)],
                "n": n.tolist(),
                "accuracy": [ratio(*pair) for pair in zip(hits, n, strict=True)],
                "confidence": [ratio(*pair) for pair in zip(confidence, n, strict=True)],
            },
        }


LOG_LOSS, BRIER_SCORE, CALIBRATION_ERROR = LogLoss(), BrierScore(), CalibrationError()
