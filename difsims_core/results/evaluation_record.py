"""The evaluation of a map as the store keeps it: all that report and tables say of it, without its npz files."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from difsims_core.evaluate.experiment_scores import ExperimentEvaluation, PhasePeaks
from difsims_core.evaluate.matching import Match
from difsims_core.evaluate.measured_peaks import MeasuredPeaks
from difsims_core.evaluate.powder_lines import PowderLines
from difsims_core.storage.record_model import Count, Items, Record, RecordPart, Sha256, Text


class _Peaks(RecordPart):
    q_per_angstrom: Items[float]
    height: Items[float]
    prominence: Items[float]

    def value(self) -> MeasuredPeaks:
        return MeasuredPeaks(np.array(self.q_per_angstrom), np.array(self.height), np.array(self.prominence))


class _Lines(RecordPart):
    q_per_angstrom: Items[float]
    strength: Items[float]
    hkl: Items[Items[int]]

    def value(self) -> PowderLines:
        hkl = np.array(self.hkl, np.int64).reshape(-1, 3)
        return PowderLines(np.array(self.q_per_angstrom), np.array(self.strength), hkl)


class _Match(RecordPart):
    mean_distance_per_angstrom: float | None
    scale: float
    scale_at_limit: bool
    n_peaks: Count
    n_matched: Count
    matched: Items[Count]
    n_strong: Count
    n_strong_found: Count
    rms_per_angstrom: float | None
    chance_precision: float
    precision: float | None
    recall: float | None
    f1: float

    def value(self) -> Match:
        return Match(**self.model_dump(exclude={"precision", "recall", "f1"}))


class _Phase(RecordPart):
    phase: Text
    status: Text
    reason: str
    n_pixels: Count
    mean_profile: Items[float] | None
    peaks: _Peaks | None
    visible_lines: _Lines | None
    match: _Match | None
    null: dict[str, _Match]
    null_f1: float | None
    better_than_null: bool | None

    def value(self) -> PhasePeaks:
        return PhasePeaks(
            self.phase,
            self.status,
            self.reason,
            self.n_pixels,
            None if self.mean_profile is None else np.array(self.mean_profile),
            self.peaks and self.peaks.value(),
            self.visible_lines and self.visible_lines.value(),
            self.match and self.match.value(),
            {name: match.value() for name, match in self.null.items()},
        )


class _NoCrystal(RecordPart):
    n: Count
    mean_confidence: float | None
    claimed_by: dict[str, Count]


class _Truth(RecordPart, extra="allow"):  # the rest is what the metrics say that are registered
    n: Count
    accuracy: float | None
    accuracy_off_boundaries: float | None
    no_crystal: _NoCrystal
    phases_unknown_to_the_model: Items[str]


class EvaluationRecord(Record):
    """An evaluation, and what it was made from.

    Attributes
    ----------
    inputs_sha256, inputs_without_truth_sha256 : str
        Over everything that the scores depend on; the second as if there had been no truth map.
    prediction : str
        URL of the prediction.
    truth : part or None
        Scores against the truth map, those of every metric that was registered then.
    """

    described: ClassVar[str] = "the evaluation of a map"
    remedy: ClassVar[str] = "evaluate the prediction again"

    experiment: Text
    cnn_id: Text
    sim_ids: Items[str] = ()
    n_pixels: Count
    n_invalid: Count
    mean_confidence: float | None
    mean_distance_per_angstrom: float | None
    q_per_angstrom: Items[float]
    phases: Items[_Phase]
    truth: _Truth | None
    inputs_sha256: Sha256
    inputs_without_truth_sha256: Sha256
    prediction: Text

    def evaluation(self) -> ExperimentEvaluation:
        """Return the evaluation; profiles, peaks and lines have as many digits as the record keeps."""
        return ExperimentEvaluation(
            self.experiment,
            self.cnn_id,
            np.array(self.q_per_angstrom),
            self.n_pixels,
            self.n_invalid,
            self.mean_confidence,
            tuple(phase.value() for phase in self.phases),
            self.truth and self.truth.model_dump(),
            self.sim_ids,
        )
