"""What one predicted map is worth: its phases' peak positions, and its truth where there is one.

See docs/physics.md §10.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from difsims_core.errors import ExperimentError, InputError
from difsims_core.evaluate.classification import confidence_of, invalid_pixels, map_scores
from difsims_core.evaluate.matching import AllowedLines, Match, PeakOptions, match_phase
from difsims_core.evaluate.measured_peaks import MeasuredPeaks, measured_peaks
from difsims_core.evaluate.powder_lines import PowderLines
from difsims_core.signal.preprocess import measured_on_axis

if TYPE_CHECKING:
    from difsims_core.storage.npz.contracts import Prediction, Profiles, Truth

BACKGROUND = "background"  # the class without spots (docs/physics.md §7)


@dataclass(frozen=True)
class PhasePeaks:
    """The peak positions of one class of one map.

    Attributes
    ----------
    phase
        Class name.
    status
        ``scored``; ``absent``: claims no pixel; ``no peaks``: the mean profile of its pixels has none; ``background``:
        the class without spots, which has no lines; ``no structure``: no usable CIF (``reason`` says why).
    n_pixels
        Pixels that it claims (highest probability), invalid ones excluded.
    mean_profile : (nq,) float64 or None
        Mean measured profile of those pixels; None when absent.
    peaks, lines, match
        Measured peaks, visible allowed lines and their agreement, where there are any.
    null : {other phase: Match}
        The same peaks against the other phases, each after its own scale fit.
    """

    phase: str
    status: str
    reason: str
    n_pixels: int
    mean_profile: np.ndarray | None
    peaks: MeasuredPeaks | None
    lines: PowderLines | None
    match: Match | None
    null: Mapping[str, Match]

    @property
    def null_f1(self) -> float | None:
        """The best F1 that another phase reaches with the same peaks; None without another phase."""
        return max((match.f1 for match in self.null.values()), default=None)

    @property
    def better_than_null(self) -> bool | None:
        """Whether the peaks fit this phase better than every other; None when it cannot be said."""
        if self.match is None or self.null_f1 is None:
            return None
        return self.match.f1 > self.null_f1

    def to_document(self) -> dict[str, Any]:
        """Return all of it as plain JSON values."""
        return {
            "phase": self.phase,
            "status": self.status,
            "reason": self.reason,
            "n_pixels": self.n_pixels,
            "mean_profile": None if self.mean_profile is None else [float(f"{v:.6g}") for v in self.mean_profile],
            "peaks": self.peaks.to_document() if self.peaks else None,
            "visible_lines": self.lines.to_document() if self.lines else None,
            "match": self.match.to_document() if self.match else None,
            "null": {name: match.to_document() for name, match in self.null.items()},
            "null_f1": self.null_f1,
            "better_than_null": self.better_than_null,
        }


@dataclass(frozen=True)
class ExperimentEvaluation:
    """Everything said about one predicted map.

    Attributes
    ----------
    name, cnn_id
        The experiment (file name without its ending) and the model.
    q : (nq,) float64
        Axis of the profiles, Å⁻¹.
    n_pixels, n_invalid
        Pixels, and those without a usable measurement.
    mean_confidence
        Mean over the valid pixels of how sure the map is; None when there are none.
    phases
        One `PhasePeaks` a class, in the model's order.
    scores
        `map_scores` against the truth map; None without one.
    sim_ids
        Datasets that the model was trained on.
    """

    name: str
    cnn_id: str
    q: np.ndarray
    n_pixels: int
    n_invalid: int
    mean_confidence: float | None
    phases: tuple[PhasePeaks, ...]
    scores: Mapping[str, Any] | None
    sim_ids: tuple[str, ...] = ()

    @property
    def mean_distance_per_angstrom(self) -> float | None:
        """The historical metric of the map: the mean over the phases present; None when no phase is scored."""
        values = [phase.match.mean_distance_per_angstrom for phase in self.phases if phase.match]
        known = [value for value in values if value is not None]
        return float(np.mean(known)) if known else None

    def to_document(self) -> dict[str, Any]:
        """Return the JSON document of the map, which is stored as its evaluation."""
        return {
            "experiment": self.name,
            "cnn_id": self.cnn_id,
            "sim_ids": list(self.sim_ids),
            "n_pixels": self.n_pixels,
            "n_invalid": self.n_invalid,
            "mean_confidence": self.mean_confidence,
            "mean_distance_per_angstrom": self.mean_distance_per_angstrom,
            "q_per_angstrom": [round(float(q), 9) for q in self.q],
            "phases": [phase.to_document() for phase in self.phases],
            "truth": None if self.scores is None else dict(self.scores),
        }


def evaluate_experiment(
    prediction: Prediction,
    profiles: Profiles,
    lines: Mapping[str, AllowedLines | str],
    truth: Truth | None = None,
    options: PeakOptions | None = None,
) -> ExperimentEvaluation:
    """Score one predicted map.

    Parameters
    ----------
    prediction
        Probabilities (…, k) with their phases.
    profiles
        The measured profiles (…, nq) that it was made from.
    lines
        Allowed lines by class name; a text instead says why a class has none.
    truth
        Label map of the same scan, if known.
    options
        How peaks are found and matched; defaults as documented there.

    Raises
    ------
    ExperimentError
        If the shapes of prediction, profiles and truth differ, or a row of the prediction is no distribution; it names
        the scan.
    """
    try:
        return _evaluated(prediction, profiles, lines, truth, options or PeakOptions())
    except InputError as error:
        raise ExperimentError(f"scan {profiles.name}: {error.problem}", error.remedy) from None


def _evaluated(
    prediction: Prediction,
    profiles: Profiles,
    lines: Mapping[str, AllowedLines | str],
    truth: Truth | None,
    options: PeakOptions,
) -> ExperimentEvaluation:
    pred = np.asarray(prediction.pred)
    y = np.asarray(profiles.y)
    if pred.shape[:-1] != y.shape[:-1]:
        raise ExperimentError(
            f"the prediction has pixels {pred.shape[:-1]}, the experiment {y.shape[:-1]}",
            "predict this file again, or give the folder of the file that was predicted",
        )
    k = pred.shape[-1]
    flat = pred.reshape(-1, k)
    invalid = invalid_pixels(prediction).ravel()
    q = model_axis(prediction, profiles)
    measured = profiles.x if prediction.scan_q is None else prediction.scan_q
    y, finite = measured_on_axis(y.reshape(-1, y.shape[-1]), measured, q)
    claim = np.where(invalid | ~finite, -1, flat.argmax(axis=1))
    usable = {name: entry for name, entry in lines.items() if isinstance(entry, AllowedLines)}
    phases = tuple(
        _phase_peaks(
            str(name), y[claim == i], q, lines.get(str(name), "no crystal structure was given"), usable, options
        )
        for i, name in enumerate(prediction.phases)
    )
    sure = confidence_of(prediction).ravel()[~invalid]
    return ExperimentEvaluation(
        name=profiles.name,
        cnn_id=str(prediction.cnn_id),
        q=q,
        n_pixels=flat.shape[0],
        n_invalid=int(invalid.sum()),
        mean_confidence=float(sure.mean()) if sure.size else None,
        phases=phases,
        scores=None if truth is None else map_scores(prediction, truth),
        sim_ids=prediction.sim_ids,
    )


def model_axis(prediction: Prediction, profiles: Profiles) -> np.ndarray:
    """Return the q axis on which a map is scored, Å⁻¹: its model's, so that scores do not depend on the file's."""
    return np.asarray(profiles.x if prediction.x is None else prediction.x, np.float64)


def _phase_peaks(
    name: str,
    claimed: np.ndarray,
    q: np.ndarray,
    own: AllowedLines | str,
    usable: Mapping[str, AllowedLines],
    options: PeakOptions,
) -> PhasePeaks:
    lines = own.visible if isinstance(own, AllowedLines) else None
    if not len(claimed):
        return PhasePeaks(name, "absent", "claims no pixel", 0, None, None, lines, None, {})
    mean = (claimed / len(claimed)).sum(axis=0)  # a sum of large numbers would overflow
    peaks = measured_peaks(q, mean, options.min_prominence)
    if not isinstance(own, AllowedLines):
        status = "background" if name == BACKGROUND else "no structure"
        return PhasePeaks(name, status, own, len(claimed), mean, peaks, None, None, {})
    if not peaks.q.size:
        return PhasePeaks(name, "no peaks", "its mean profile has no peak", len(claimed), mean, peaks, lines, None, {})
    null = {other: match_phase(peaks.q, entry, q, options) for other, entry in usable.items() if other != name}
    match = match_phase(peaks.q, own, q, options)
    return PhasePeaks(name, "scored", "", len(claimed), mean, peaks, lines, match, null)
