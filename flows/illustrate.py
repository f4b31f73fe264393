"""Tables and figures of what a flow has made, for Prefect's UI."""

from __future__ import annotations

from difsims_core.dataset.open import open_simulation
from difsims_core.storage.objects import open_store
from flows import artifacts


def show_dataset(root: str, simulation_id: str) -> None:
    """Leave the table of a dataset, and profiles of each of its phases."""
    store = open_store(root)
    simulation = open_simulation(simulation_id, store)
    counts = simulation.class_counts
    rows = [
        {"dataset": simulation.id, "phase": phase, "patterns": count}
        for phase, count in zip(simulation.phases, counts, strict=True)
    ]
    artifacts.table("dataset", rows, simulation.attrs["summary"])
    artifacts.links("dataset-link", {simulation.id: simulation.url}, "The dataset in the store")
