"""Tables and figures of what flows have made, for Prefect's UI; figures lie in the store beside the objects."""

from __future__ import annotations

import numpy as np

from difsims_core.dataset.open import Simulation, open_simulation
from difsims_core.evaluate.peak_positions import truth_of
from difsims_core.learn.bundle import load_bundle
from difsims_core.storage.npz import experiment_name, read_prediction
from difsims_core.storage.objects import open_store
from flows import artifacts
from flows.scoring import phase_rows

_SAMPLE_ROWS = 240


def show_dataset(root: str, simulation_id: str) -> None:
    """Leave the table of a dataset, a link to it, and profiles of each of its phases."""
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


def sample_profiles(simulation: Simulation) -> dict[str, np.ndarray]:
    """Return some profiles of each phase of a dataset: class name → (m, 147)."""
    profiles = np.asarray(simulation["1d/x_px"][:_SAMPLE_ROWS])
    labels = np.asarray(simulation["1d/y_px"][:_SAMPLE_ROWS])[:, 0]
    by_phase = {name: profiles[labels == label] for label, name in enumerate(simulation.phases)}
    return {name: found for name, found in by_phase.items() if len(found)}


def _draw_samples(simulation: Simulation) -> bytes:
    from difsims_core.evaluate import figures

    return figures.to_png(figures.example_profiles_figure(simulation.q_px, sample_profiles(simulation), simulation.id))


def show_model(root: str, model_id: str) -> float:
    """Leave the held-out scores, learning curves and confusion matrix of a model; return its held-out accuracy."""
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
    return float(metrics["accuracy"])


def show_evaluation(root: str, url: str, scores_url: str, truth: str | None, *, redraw: bool) -> None:
    """Leave the peak positions of a map by phase, the map with its confidence, and the map beside its truth."""
    store, prediction, known = open_store(root), read_prediction(url), truth_of(experiment_name(url), truth)
    document = store.read_json(scores_url.removeprefix(f"{store.root}/"))
    name, model_id = document["experiment"], prediction.cnn_id
    artifacts.table(f"peaks-{name}", phase_rows(document), f"Peak positions of {name} by {model_id}")

    def draw_map() -> bytes:
        from difsims_core.evaluate import figures

        return figures.to_png(figures.phase_map_figure(prediction, name))

    artifacts.figure(
        store, model_id, f"{name}-phase-map.png", draw_map, f"Phases and confidence of {name}", redraw=redraw
    )
    if known is None:
        return

    def draw_truth() -> bytes:
        from difsims_core.evaluate import figures

        return figures.to_png(figures.truth_figure(prediction, known, name))

    artifacts.figure(store, model_id, f"{name}-truth.png", draw_truth, f"{name} beside its truth", redraw=redraw)
