"""Score probabilities against labels: held-out patterns and maps with a known truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from difsims_core.errors import ExperimentError, InputError
from difsims_core.evaluate.base import Sums
from difsims_core.families import METRICS

if TYPE_CHECKING:
    from difsims_core.storage.npz.contracts import Prediction, Truth

_SUM_TOLERANCE = 1e-3  # a softmax in float32 or even float16 stays within it


@dataclass(frozen=True)
class ClassificationTally:
    """The sums of several metrics over the patterns seen so far; tallies of parts add up.

    Attributes
    ----------
    class_names : (k,)
        Classes in the order of the probabilities.
    n
        Patterns seen.
    sums
        What each metric holds, by its name in `METRICS`.
    """

    class_names: tuple[str, ...]
    n: int
    sums: Mapping[str, Sums]

    @classmethod
    def start(cls, class_names: Sequence[str], metrics: Sequence[str] | None = None) -> ClassificationTally:
        """Return a tally of no patterns with the named metrics, all registered ones by default."""
        k = len(class_names)
        nothing = np.empty((0, k)), np.empty(0, np.int64)
        names = METRICS.names() if metrics is None else list(metrics)
        return cls(tuple(map(str, class_names)), 0, {name: METRICS[name].measure(*nothing) for name in names})

    def add(self, probabilities: np.ndarray, labels: np.ndarray) -> ClassificationTally:
        """Return the tally with ``probabilities`` (n, k) and ``labels`` (n,) counted in.

        Raises
        ------
        InputError
            If the shapes do not fit, a label is not 0…k−1, or a row is no probability distribution.
        """
        probabilities, labels = _checked(probabilities, labels, len(self.class_names))
        if not labels.size:
            return self
        part = {name: METRICS[name].measure(probabilities, labels) for name in self.sums}
        return self + ClassificationTally(self.class_names, labels.size, part)

    def __add__(self, other: ClassificationTally) -> ClassificationTally:
        if self.class_names != other.class_names or self.sums.keys() != other.sums.keys():
            raise InputError(
                f"tallies of different classes or metrics cannot be added: {self.class_names} and {other.class_names}",
                "start both with the same names",
            )
        merged = {name: sums + other.sums[name] for name, sums in self.sums.items()}
        return ClassificationTally(self.class_names, self.n + other.n, merged)

    def finalise(self) -> dict[str, Any]:
        """Return all results in one JSON-able mapping with ``n``; scores of no patterns are None."""
        document: dict[str, Any] = {"n": self.n}
        for name, sums in self.sums.items():
            results = METRICS[name].finalise(sums, self.class_names)
            if twice := sorted(results.keys() & document.keys()):
                raise InputError(
                    f"the metric {name!r} calls a result {twice[0]!r}, and another metric does too; its author must "
                    "choose another name, until then uninstall its package"
                )
            document.update(results)
        return document


def classification_scores(probabilities: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> dict[str, Any]:
    """Score class probabilities against integer labels with every registered metric.

    Parameters
    ----------
    probabilities : (n, k)
        Rows that sum to 1.
    labels : (n,)
        Integers 0…k−1, at least one.
    class_names : (k,)
        Names in the order of the columns.

    Returns
    -------
    dict
        ``n``, ``accuracy``, ``log_loss``, ``brier_score``, ``expected_calibration_error``, ``macro_f1`` (floats),
        ``per_class`` {name: precision, recall, f1, n_true, n_predicted}, ``confusion`` {class_names, counts},
        ``reliability`` {edges, n, accuracy, confidence}: JSON values only.

    Raises
    ------
    InputError
        As `ClassificationTally.add`, and if there is nothing to score.
    """
    tally = ClassificationTally.start(class_names).add(probabilities, labels)
    if not tally.n:
        raise InputError("expected at least one labelled pattern to score, found none")
    return tally.finalise()


def map_scores(prediction: Prediction, truth: Truth) -> dict[str, Any]:
    """Score a predicted phase map against a truth map; classes are matched by name, never by position.

    Pixels of label −1 (amorphous, no crystal) have no right answer among the phases: they are left out of every score
    and what they were taken for is reported under ``no_crystal``. Pixels marked invalid at prediction (no usable
    measurement) are left out and counted. Pixels of a phase that the model does not know count as mistakes.

    Returns
    -------
    dict
        What `classification_scores` returns over the pixels scored (scores are None when there are none), and
        ``n_pixels``, ``n_invalid``, ``n_boundary``, ``accuracy_off_boundaries`` (None without boundaries),
        ``no_crystal`` {n, mean_confidence, claimed_by}, ``phases_unknown_to_the_model``; ``grains``: accuracies, log
        loss and calibration error of what grains say together, None of a map without grains.

    Raises
    ------
    ExperimentError
        If the two maps differ in shape, or share no phase name.
    """
    names, probabilities, labels = _aligned(prediction, truth)
    invalid = invalid_pixels(prediction).ravel()
    scored = (labels >= 0) & ~invalid
    document = ClassificationTally.start(names).add(probabilities[scored], labels[scored]).finalise()
    hit = probabilities.argmax(axis=1) == labels
    boundary = np.zeros(labels.shape, bool) if truth.boundary is None else np.asarray(truth.boundary, bool).ravel()
    inside = hit[scored & ~boundary]
    nothing = (labels < 0) & ~invalid
    amorphous, sure = probabilities[nothing], confidence_of(prediction).ravel()[nothing]
    claims = np.bincount(amorphous.argmax(axis=1), minlength=len(names))
    known = [str(name) for name in prediction.phases]
    return document | {
        "n_pixels": int(labels.size),
        "n_invalid": int(invalid.sum()),
        "n_boundary": int((scored & boundary).sum()),
        "accuracy_off_boundaries": float(inside.mean()) if truth.boundary is not None and inside.size else None,
        "no_crystal": {
            "n": int(amorphous.shape[0]),
            "mean_confidence": float(sure.mean()) if sure.size else None,
            "claimed_by": {name: int(count) for name, count in zip(names, claims, strict=True)},
        },
        "phases_unknown_to_the_model": [name for name in names if name not in known],
        "grains": _scores_of_grains(prediction, truth),
    }


def _scores_of_grains(prediction: Prediction, truth: Truth) -> dict[str, Any] | None:
    of_grains = grain_wise(prediction)
    if of_grains is None or prediction.grain is None:
        return None
    scores = map_scores(of_grains, truth)
    kept = ("accuracy", "accuracy_off_boundaries", "log_loss", "expected_calibration_error")
    return {"n": int(prediction.grain.max(initial=-1)) + 1} | {name: scores.get(name) for name in kept}


def invalid_pixels(prediction: Prediction) -> np.ndarray:
    """Return the (…,) mask of pixels that were given a uniform probability for want of a usable measurement."""
    shape = np.shape(prediction.pred)[:-1]
    mask = getattr(prediction, "invalid", None)
    return np.zeros(shape, bool) if mask is None else np.asarray(mask, bool).reshape(shape)


def confidence_of(prediction: Prediction) -> np.ndarray:
    """Return (…,) how sure a map is of each pixel: what it says of it, or else its highest probability."""
    highest = np.asarray(prediction.pred).max(axis=-1)
    said = prediction.confidence
    return highest if said is None else np.where(np.isnan(said), highest, said)


def grain_wise(prediction: Prediction) -> Prediction | None:
    """Return the map of what all pixels of each grain say together, None where it is not known."""
    if prediction.grain_pred is None or prediction.grain is None:
        return None
    sure = np.where(prediction.grain < 0, confidence_of(prediction), np.asarray(prediction.grain_pred).max(axis=-1))
    said = None if prediction.confidence is None else sure
    return replace(prediction, pred=prediction.grain_pred, confidence=said, grain=None, grain_pred=None)


def labels_in_phases(truth: Truth, phases: Sequence[str]) -> np.ndarray:
    """Return the truth's labels as indices into ``phases`` (same shape); −1 for no crystal and for other phases."""
    order = {str(name): i for i, name in enumerate(phases)}
    table = np.array([*(order.get(str(name), -1) for name in truth.phases), -1], np.int64)
    return table[np.asarray(truth.label, np.int64)]


def _aligned(prediction: Prediction, truth: Truth) -> tuple[list[str], np.ndarray, np.ndarray]:
    pred = np.asarray(prediction.pred, np.float64)
    label = np.asarray(truth.label, np.int64)
    if pred.shape[:-1] != label.shape:
        raise ExperimentError(
            f"the prediction has pixels {pred.shape[:-1]}, {_called(truth)} has {label.shape}",
            "give the truth of this scan",
        )
    known = [str(name) for name in prediction.phases]
    present = [str(name) for i, name in enumerate(truth.phases) if np.any(label == i)]
    if present and not set(known) & {str(name) for name in truth.phases}:
        raise ExperimentError(
            f"no phase of {_called(truth)} ({', '.join(present)}) is a class of the model ({', '.join(known)})",
            "name the phases alike in both",
        )
    names = [*known, *(name for name in present if name not in known)]
    extended = np.zeros((label.size, len(names)))
    extended[:, : len(known)] = pred.reshape(-1, len(known))
    return names, extended, labels_in_phases(truth, names).ravel()


def _called(truth: Truth) -> str:
    return f"the truth map {truth.url}" if truth.url else "the truth map"


def _checked(probabilities: np.ndarray, labels: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    probabilities = np.asarray(probabilities, np.float64)
    labels = np.asarray(labels)
    if probabilities.ndim != 2 or probabilities.shape[1] != k or labels.shape != probabilities.shape[:1]:
        raise InputError(
            f"expected probabilities (n, {k}) and labels (n,), found {probabilities.shape} and {labels.shape}"
        )
    if labels.size and not (np.issubdtype(labels.dtype, np.integer) and labels.min() >= 0 and labels.max() < k):
        raise InputError(f"labels must be integers from 0 to {k - 1}, found {labels.dtype} values outside of that")
    total = probabilities.sum(axis=1)
    fair = (np.abs(total - 1.0) <= _SUM_TOLERANCE) & (probabilities.min(axis=1, initial=0.0) >= 0.0)
    if not fair.all():
        row = int(np.argmin(fair))
        raise InputError(
            f"row {row} of the probabilities is no distribution: {probabilities[row].tolist()}; "
            "rows must be finite, not negative and sum to 1"
        )
    return probabilities, labels.astype(np.int64)
