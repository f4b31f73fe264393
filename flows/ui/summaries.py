"""Tables and figures of what flows have made, for Prefect's UI; figures lie in the store beside the objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from difsims_core.dataset.description import versions_in_words
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from flows.ui import artifacts
from flows.ui.flow_context import only_in_runs

if TYPE_CHECKING:  # a command without Prefect shows none of it, and need not load what makes it
    from difsims_core.dataset.open import Simulation
    from difsims_core.evaluate.experiment_scores import ExperimentEvaluation
    from difsims_core.learn.bundle import ModelBundle
    from difsims_core.learn.predict import PredictionResult
    from difsims_core.results.evaluate_map import EvaluatedMap
    from difsims_core.results.map_pictures import MapPictures
    from difsims_core.results.map_scores import MapScores
    from difsims_core.results.preprocessed import JudgedScan
    from difsims_core.storage.objects import ObjectStore

_NAMED = 12  # maps that a line names; the table has all of them


@only_in_runs
def show_dataset(root: str, simulation_id: str) -> None:
    """Leave the summary and the table of a dataset, a link to it, and profiles of each of its phases."""
    from difsims_core.dataset.open import open_simulation

    store = open_store(root)
    simulation = open_simulation(simulation_id, store)
    rows = [
        {"dataset": simulation.id, "phase": phase, "patterns": count}
        for phase, count in zip(simulation.phases, simulation.class_counts, strict=True)
    ]
    artifacts.table("dataset", rows, simulation.attrs["summary"])
    artifacts.links("dataset-link", {simulation.id: simulation.url}, "The dataset in the store")
    artifacts.figure(
        store, simulation.id, "sample-profiles.png", lambda: _draw_samples(simulation), "Profiles of each phase"
    )
    artifacts.summary(
        what=f"simulated {simulation.attrs['summary']}",
        on=f"{', '.join(simulation.phases)} ({versions_in_words(simulation.attrs)})",
        far=f"complete: {simulation.n_patterns:,} patterns in blocks of {simulation.block_rows:,}",
        good=f"every block has its checksum; `difsims verify {simulation.id}` reads them again",
        where={simulation.id: simulation.url},
    )


def _draw_samples(simulation: Simulation) -> bytes:
    from difsims_core.evaluate import figures
    from difsims_core.results.run_report import sample_profiles

    return figures.to_png(figures.example_profiles_figure(simulation.q_px, sample_profiles(simulation), simulation.id))


@only_in_runs
def show_model(store: ObjectStore, bundle: ModelBundle) -> None:
    """Leave the summary, held-out scores, learning curves and confusion matrix of a model."""
    model_id, metrics, history = bundle.id, bundle.metrics, bundle.history
    scores = [{"score": key, "held out": value} for key, value in metrics.items() if isinstance(value, int | float)]
    artifacts.table("model-scores", scores, f"Held-out scores of {model_id}")
    classes = [{"phase": name, **row} for name, row in metrics["per_class"].items()]
    artifacts.table("model-classes", classes, f"Held-out scores of {model_id} by phase")

    def draw_curves() -> bytes:
        from difsims_core.evaluate import figures

        return figures.to_png(figures.learning_curves_figure(history))

    def draw_confusion() -> bytes:
        from difsims_core.evaluate import figures

        return figures.to_png(figures.confusion_figure(metrics["confusion"]))

    if history:  # not every classifier has epochs
        artifacts.figure(store, model_id, "learning-curves.png", draw_curves, f"Learning curves of {model_id}")
    artifacts.figure(store, model_id, "confusion.png", draw_confusion, f"Held-out confusion of {model_id}")
    origin = ", ".join(bundle.sim_ids) or "fresh in every epoch"
    artifacts.summary(
        what=f"trained {bundle.training.label}, seed {bundle.training.seed}",
        on=f"{origin}: {bundle.split['n_train']:,} patterns of {', '.join(bundle.phases)}",
        far=f"complete: {len(history)} of at most {bundle.training.most_epochs} epochs" if history else "complete",
        good=f"right on {metrics['accuracy']:.2%} of {metrics['n']:,} patterns that it has never seen",
        where={model_id: store.url(layout.model(model_id))},
    )


@only_in_runs
def show_evaluation(store: ObjectStore, evaluated: EvaluatedMap, pictures: MapPictures) -> None:
    """Leave the peak positions of a map by phase, the map with its confidence, and the map beside its truth."""
    name, model = evaluated.scores.name, evaluated.scores.model
    artifacts.table(f"peaks-{name}", phase_rows(evaluated.evaluation), f"Peak positions of {name} by {model}")
    show_map(store, name, pictures.phase_map)
    if pictures.truth is not None:
        artifacts.picture(store, f"{name}-truth", pictures.truth, f"{name} beside its truth")


@only_in_runs
def show_map(store: ObjectStore, name: str, key: str) -> None:
    """Leave the stored picture of a predicted map with its confidence."""
    artifacts.picture(store, f"{name}-phase-map", key, f"Phases and confidence of {name}")


@only_in_runs
def show_experiments(results: Sequence[JudgedScan], failed: int = 0) -> None:
    """Leave the summary of preprocessed scans, links to them and to their reports, and what was checked."""
    where = {result.written.name: result.written.profiles for result in results}
    artifacts.links("experiments", where, "Profiles of preprocessed scans")
    artifacts.links("scan-reports", {result.written.name: result.report for result in results}, "Can they be trusted?")
    checks = [
        {"scan": result.written.name, "check": check.name, "verdict": check.verdict, "why": check.sentence}
        for result in results
        for check in result.verdict.checks
    ]
    artifacts.table("scan-checks", checks, "What was checked of preprocessed scans")
    artifacts.summary(
        what="preprocessed raw scans",
        on=f"{len(results)} scans: {_some(list(where))}",
        far=_how_far(results, failed),
        good=_some([f"{result.written.name} {result.verdict.overall}" for result in results]),
        where=where,
    )


@only_in_runs
def show_predictions(results: Sequence[PredictionResult], failed: int = 0) -> None:
    """Leave the summary and the list of predicted maps."""
    where = {result.name: result.url for result in results}
    artifacts.links("predictions", where, "Predicted phase maps")
    unusable = sum(result.n_invalid for result in results)
    artifacts.summary(
        what=f"predicted with {', '.join(sorted({result.model for result in results})) or 'no model'}",
        on=f"{len(results)} scans: {_some([str(result.name) for result in results])}",
        far=_how_far(results, failed),
        good=f"{unusable:,} pixels without a usable profile; the scores are in the run of evaluate",
        where=where,
    )


@only_in_runs
def show_scores(scores: Sequence[MapScores], failed: int = 0) -> None:
    """Leave the summary and the table of evaluated maps."""
    artifacts.table("evaluation", [score_row(item) for item in scores], f"Scores of {len(scores)} maps")
    artifacts.summary(
        what="evaluated predicted phase maps",
        on=f"{len(scores)} maps by {', '.join(sorted({item.model for item in scores})) or 'no model'}",
        far=_how_far(scores, failed),
        good=scores_in_words(scores),
        where={item.name: item.url for item in scores},
    )


def score_row(scores: MapScores) -> dict[str, Any]:
    """Return the row of a map in a table of scores."""
    return {
        "map": scores.name,
        "accuracy": scores.accuracy,
        "off boundaries": scores.accuracy_off_boundaries,
        "grain by grain": scores.accuracy_of_grains,
        "confidence": scores.mean_confidence,
        "invalid": scores.n_invalid,
        "peak distance (1/Å)": scores.mean_distance_per_angstrom,
        "peaks F1": scores.peaks_f1,
        "null F1": scores.null_f1,
        "better than null": better_than_null(scores),
        "model": scores.model,
        "scores": scores.url,
        "reused": scores.reused,
    }


def phase_rows(evaluation: ExperimentEvaluation) -> list[dict[str, Any]]:
    """Return one row a phase of a map: peak positions with their null."""
    return [
        {
            "map": evaluation.name,
            "phase": phase.phase,
            "pixels": phase.n_pixels,
            "status": phase.status,
            "precision": phase.match and phase.match.precision,
            "recall": phase.match and phase.match.recall,
            "F1": phase.match and phase.match.f1,
            "null F1": phase.null_f1,
            "lattice scale": phase.match and phase.match.scale,
        }
        for phase in evaluation.phases
    ]


def better_than_null(scores: MapScores) -> str:
    """Return how many phases are better than their null, in words."""
    return f"{scores.n_better_than_null} of {scores.n_compared}"


def scores_in_words(scores: Sequence[MapScores]) -> str:
    """Return how good maps are: by their truth where it is known, else by the peaks of their phases."""
    return _some([f"{item.name} {_score_in_words(item)}" for item in scores])


def _how_far(results: Sequence[MapScores] | Sequence[PredictionResult] | Sequence[JudgedScan], failed: int) -> str:
    kept = sum(result.reused for result in results)
    ended = f"{failed} failed" if failed else "complete"
    return f"{ended}: {len(results) - kept} new, {kept} were there already"


def _score_in_words(scores: MapScores) -> str:
    if scores.accuracy is not None:
        return f"{scores.accuracy:.1%} right"
    return f"{better_than_null(scores)} phases better than null"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
