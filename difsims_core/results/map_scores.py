"""The numbers by which a predicted map is judged."""

from __future__ import annotations

from dataclasses import dataclass

from difsims_core.evaluate.experiment_scores import ExperimentEvaluation


@dataclass(frozen=True, slots=True)
class MapScores:
    """What one map is worth, in numbers; None: it cannot be said.

    Attributes
    ----------
    name, model : str
        Of the map (its experiment) and id of the model.
    accuracy, accuracy_off_boundaries : float or None
        Against the truth map; the second without pixels on grain boundaries.
    mean_confidence : float or None
        Mean over the valid pixels of how sure the map is.
    n_invalid : int
        Pixels without a usable measurement.
    mean_distance_per_angstrom : float or None
        The historical distance of measured peaks to allowed lines, Å⁻¹ (docs/physics.md §10).
    peaks_f1, null_f1 : float or None
        Mean over the phases: F1 of their peaks, and the best that another phase reaches with the same peaks.
    n_better_than_null, n_compared : int
        Phases whose peaks fit them better than every other phase, of those that can be compared.
    url, prediction : str
        Where evaluation and prediction lie.
    reused : bool
        Whether the store held the scores of the same inputs.
    accuracy_of_grains : float or None
        Of what all pixels of each grain say together; off boundaries where they are known.
    """

    name: str
    model: str
    accuracy: float | None
    accuracy_off_boundaries: float | None
    mean_confidence: float | None
    n_invalid: int
    mean_distance_per_angstrom: float | None
    peaks_f1: float | None
    null_f1: float | None
    n_better_than_null: int
    n_compared: int
    url: str
    prediction: str
    reused: bool
    accuracy_of_grains: float | None = None

    @classmethod
    def of(cls, evaluation: ExperimentEvaluation, *, url: str, prediction: str, reused: bool) -> MapScores:
        """Return the numbers of an evaluation."""
        scores = evaluation.scores or {}
        grains = scores.get("grains") or {}
        off, whole = grains.get("accuracy_off_boundaries"), grains.get("accuracy")
        matched = [phase for phase in evaluation.phases if phase.match is not None]
        compared = [phase for phase in matched if phase.better_than_null is not None]
        return cls(
            evaluation.name,
            evaluation.cnn_id,
            scores.get("accuracy"),
            scores.get("accuracy_off_boundaries"),
            evaluation.mean_confidence,
            evaluation.n_invalid,
            evaluation.mean_distance_per_angstrom,
            _mean([phase.match.f1 for phase in matched if phase.match]),
            _mean([phase.null_f1 for phase in compared]),
            sum(bool(phase.better_than_null) for phase in compared),
            len(compared),
            url,
            prediction,
            reused,
            whole if off is None else off,
        )


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
