"""Tables and figures of what flows have made, for Prefect's UI; figures lie in the store beside the objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from difsims_core.dataset.open import Simulation, open_simulation
from difsims_core.storage.objects import open_store
from flows import artifacts

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
        store, simulation.id, "sample-profiles.png", lambda: _sample_profiles(simulation), "Profiles of each phase"
    )


def _sample_profiles(simulation: Simulation) -> bytes:
    from difsims_core.evaluate import figures

    profiles, labels = simulation["1d/x_px"][:_SAMPLE_ROWS], np.asarray(simulation["1d/y_px"][:_SAMPLE_ROWS])[:, 0]
    by_phase = {
        name: np.asarray(profiles)[labels == label]
        for label, name in enumerate(simulation.phases)
        if (labels == label).any()
    }
    return figures.to_png(figures.example_profiles_figure(simulation.q_px, by_phase, simulation.id))


def show_model(root: str, model_id: str, history: Sequence[Mapping[str, float]], metrics: Mapping[str, Any]) -> None:
    """Leave the held-out scores of a model, its learning curves and its confusion matrix."""
    from difsims_core.evaluate import figures

    store = open_store(root)
    scores = [{"score": key, "held out": value} for key, value in metrics.items() if isinstance(value, int | float)]
    artifacts.table("model-scores", [{"model": model_id} | row for row in scores], f"Held-out scores of {model_id}")
    artifacts.table(
        "model-classes",
        [{"phase": name} | dict(row) for name, row in metrics.get("per_class", {}).items()],
        f"Held-out scores of {model_id} by phase",
    )
    artifacts.figure(
        store,
        model_id,
        "learning-curves.png",
        lambda: figures.to_png(figures.learning_curves_figure(history)),
        f"Learning curves of {model_id}",
    )
    if "confusion" in metrics:
        artifacts.figure(
            store,
            model_id,
            "confusion.png",
            lambda: figures.to_png(figures.confusion_figure(metrics["confusion"])),
            f"Held-out confusion of {model_id}",
        )
