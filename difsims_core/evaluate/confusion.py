"""Metrics of the decision: the class of highest probability against the label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from difsims_core.evaluate.base import Metric, Sums, ratio


def confusion_counts(predicted: np.ndarray, labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Return (k, k) int64 counts, rows the labels, columns the predicted classes."""
    cells = labels.astype(np.int64) * n_classes + predicted.astype(np.int64)
    return np.bincount(cells, minlength=n_classes * n_classes).reshape(n_classes, n_classes)


@dataclass(frozen=True)
class Accuracy(Metric):
    """The fraction of patterns whose most probable class is their label."""

    def measure(self, probabilities: np.ndarray, labels: np.ndarray) -> Sums:
        """Count patterns and hits."""
        hits = np.count_nonzero(probabilities.argmax(axis=1) == labels)
        return Sums({"n": np.array(labels.size), "hits": np.array(hits)})

    def finalise(self, sums: Sums, class_names: Sequence[str]) -> dict[str, Any]:  # noqa: ARG002
        """Return ``accuracy``."""
        return {"accuracy": ratio(float(sums["hits"]), float(sums["n"]))}


@dataclass(frozen=True)
class ConfusionMatrix(Metric):
    """How many patterns of each class (rows) were taken for each class (columns)."""

    def measure(self, probabilities: np.ndarray, labels: np.ndarray) -> Sums:
        """Count every pair of label and decision."""
        return Sums({"counts": confusion_counts(probabilities.argmax(axis=1), labels, probabilities.shape[1])})

    def finalise(self, sums: Sums, class_names: Sequence[str]) -> dict[str, Any]:
        """Return ``confusion`` with ``class_names`` and ``counts`` [label][decision]."""
        return {"confusion": {"class_names": list(class_names), "counts": sums["counts"].tolist()}}


@dataclass(frozen=True)
class PerClass(ConfusionMatrix):
    """Precision, recall and F1 of each class, and the mean F1 over the classes that have one.

    Precision is None for a class that was never predicted, recall for one without patterns;
    F1 = 2 TP / (2 TP + FP + FN) is None only when both hold.
    """

    def finalise(self, sums: Sums, class_names: Sequence[str]) -> dict[str, Any]:
        """Return ``per_class`` by name and ``macro_f1``."""
        counts = sums["counts"]
        hits, n_true, n_predicted = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
        per_class = {
            name: {
                "precision": ratio(hits[i], n_predicted[i]),
                "recall": ratio(hits[i], n_true[i]),
                "f1": ratio(2 * hits[i], n_true[i] + n_predicted[i]),
                "n_true": int(n_true[i]),
                "n_predicted": int(n_predicted[i]),
            }
            for i, name in enumerate(class_names)
        }
        defined = [scores["f1"] for scores in per_class.values() if scores["f1"] is not None]
        return {"per_class": per_class, "macro_f1": ratio(sum(defined), len(defined))}


ACCURACY, CONFUSION_MATRIX, PER_CLASS = Accuracy(), ConfusionMatrix(), PerClass()
