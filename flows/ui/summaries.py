"""Tables and figures of what flows have made, for Prefect's UI; figures lie in the store beside the objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from difsims_core.dataset.description import versions_in_words
from difsims_core.dataset.open import Simulation, open_simulation
from difsims_core.evaluate.scan_files import read_truth_of
from difsims_core.learn.bundle import load_bundle
from difsims_core.results.run_report import sample_profiles
from difsims_core.results.scores import phase_rows
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import predicted_name, read_prediction
from difsims_core.storage.objects import ObjectStore, open_store
from flows.ui import artifacts

_NAMED = 12  # maps that a line names; the table has all of them


def show_dataset(root: str, simulation_id: str) -> None:
    """Leave the summary and the table of a dataset, a link to it, and profiles of each of its phases."""
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

    return figures.to_png(figures.example_profiles_figure(simulation.q_px, sample_profiles(simulation), simulation.id))


def show_model(root: str, model_id: str) -> float:
    """Leave the summary, held-out scores, learning curves and confusion matrix of a model; return its accuracy."""
    store = open_store(root)
    bundle = load_bundle(model_id, store)
    metrics, history = bundle.metrics, bundle.history
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

    artifacts.figure(store, model_id, "learning-curves.png", draw_curves, f"Learning curves of {model_id}")
    artifacts.figure(store, model_id, "confusion.png", draw_confusion, f"Held-out confusion of {model_id}")
    artifacts.summary(
        what=f"trained {bundle.training.label}, seed {bundle.training.seed}",
        on=f"{', '.join(bundle.sim_ids)}: {bundle.split['n_train']:,} patterns of {', '.join(bundle.phases)}",
        far=f"complete: {len(history)} of at most {bundle.training.most_epochs} epochs",
        good=f"right on {metrics['accuracy']:.2%} of {metrics['n']:,} patterns that it has never seen",
        where={model_id: store.url(layout.model(model_id))},
    )
    return float(metrics["accuracy"])


def show_evaluation(root: str, url: str, scores_url: str, truth: str | None, *, redraw: bool) -> None:
    """Leave the peak positions of a map by phase, the map with its confidence, and the map beside its truth."""
    store, prediction = open_store(root), read_prediction(url)
    known = read_truth_of(prediction, url, truth)
    document = store.read_record(store.key_of(scores_url))
    name, model_id = document["experiment"], prediction.cnn_id
    artifacts.table(f"peaks-{name}", phase_rows(document), f"Peak positions of {name} by {model_id}")

    show_map(store, model_id, url, redraw=redraw)
    if known is None:
        return

    def draw_truth() -> bytes:
        from difsims_core.evaluate import figures

        return figures.to_png(figures.truth_figure(prediction, known, name))

    artifacts.figure(store, model_id, f"{name}-truth.png", draw_truth, f"{name} beside its truth", redraw=redraw)


def show_map(store: ObjectStore, model_id: str, url: str, *, redraw: bool = False) -> None:
    """Leave the picture of a predicted map with its confidence."""
    name = predicted_name(url)

    def draw() -> bytes:
        from difsims_core.evaluate import figures

        return figures.to_png(figures.phase_map_figure(read_prediction(url), name))

    described = f"Phases and confidence of {name}"
    artifacts.figure(store, model_id, f"{name}-phase-map.png", draw, described, redraw=redraw)


def show_predictions(results: Sequence[Mapping[str, Any]], failed: int = 0) -> None:
    """Leave the summary and the list of predicted maps (rows of the task ``predict``)."""
    where = {result["name"]: result["url"] for result in results}
    artifacts.links("predictions", where, "Predicted phase maps")
    unusable = sum(result["n_invalid"] for result in results)
    artifacts.summary(
        what=f"predicted with {', '.join(sorted({result['model'] for result in results})) or 'no model'}",
        on=f"{len(results)} scans: {_some([str(result['name']) for result in results])}",
        far=_how_far(results, failed),
        good=f"{unusable:,} pixels without a usable profile; the scores are in the run of evaluate",
        where=where,
    )


def show_scores(rows: Sequence[Mapping[str, Any]], failed: int = 0) -> None:
    """Leave the summary and the table of evaluated maps (rows of the task ``score``)."""
    artifacts.table("evaluation", rows, f"Scores of {len(rows)} maps")
    artifacts.summary(
        what="evaluated predicted phase maps",
        on=f"{len(rows)} maps by {', '.join(sorted({row['model'] for row in rows})) or 'no model'}",
        far=_how_far(rows, failed),
        good=scores_in_words(rows),
        where={row["map"]: row["scores"] for row in rows},
    )


def scores_in_words(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return how good maps are: by their truth where it is known, else by the peaks of their phases."""
    return _some([f"{row['map']} {_score_in_words(row)}" for row in rows])


def _how_far(rows: Sequence[Mapping[str, Any]], failed: int) -> str:
    kept = sum(bool(row["reused"]) for row in rows)
    ended = f"{failed} failed" if failed else "complete"
    return f"{ended}: {len(rows) - kept} new, {kept} were there already"


def _score_in_words(row: Mapping[str, Any]) -> str:
    if row["accuracy"] is not None:
        return f"{row['accuracy']:.1%} right"
    return f"{row['better than null']} phases better than null"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
