"""``difsims demo``: the whole way once, on sample scans whose truth is known."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from difsims_core.config.documents import load_spec, make_spec
from difsims_core.config.pipeline import PipelineSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.learn.bundle import load_bundle
from difsims_core.resources import samples_folder, specs_folder
from difsims_core.results.map_scores import MapScores
from difsims_core.storage.names import as_written
from difsims_core.storage.objects import open_store
from flows.cli import console
from flows.cli.scans import SCORES_EXPLAINED
from flows.cli.session import run_flow


def demo_spec(n_patterns: int, epochs: int) -> PipelineSpec:
    """Return the document of the demo: realistic patterns, fewer, and the samples, one of them a raw scan."""
    changes = (f"n_patterns={n_patterns}", "output.x_all=false")
    simulation = load_spec(specs_folder() / "realistic.yaml", SimulationSpec, changes)
    return make_spec(
        {
            "simulation": simulation.to_document(),
            "training": {"epochs": epochs, "patience": 3},
            "raw_scans": [str(samples_folder() / "film.hspy")],
            "experiments": [str(samples_folder() / "*_radial_crop.npz")],
            "truth_folder": str(samples_folder() / "truth"),
        },
        PipelineSpec,
    )


def run_demo(store: str | None, n_patterns: int, epochs: int, *, verbose: bool = False, as_json: bool = False) -> None:
    """Run the demo and print its table and the path of its report."""
    started = time.monotonic()
    spec, object_store = demo_spec(n_patterns, epochs), open_store(store)
    console.tell(f"difsims demo: crystal files to phase maps, store {object_store.root}")
    outcome = run_flow("pipeline", spec, object_store.root, "difsims demo", verbose=verbose)
    held_out = load_bundle(outcome.model, object_store).metrics["accuracy"]
    seconds = time.monotonic() - started
    if as_json:
        console.show_json(asdict(outcome) | {"held_out_accuracy": held_out, "seconds": round(seconds, 1)})
        return
    rows = [{"data": "simulated, held out", "accuracy": _percent(held_out)}, *map(_row, outcome.scores)]
    console.show_table(f"difsims demo: {n_patterns:,} patterns, {seconds:.0f} s", rows, list(rows[-1]))
    console.results.print(SCORES_EXPLAINED)
    console.show_line(f"report: {as_written(outcome.report)}")


def _row(scores: MapScores) -> dict[str, Any]:
    return {
        "data": scores.name,
        "accuracy": _percent(scores.accuracy),
        "off boundaries": _percent(scores.accuracy_off_boundaries),
        "grain by grain": _percent(scores.accuracy_of_grains),
        "peak distance (1/Å)": _figures(scores.mean_distance_per_angstrom, 4),
        "peaks F1": _figures(scores.peaks_f1, 2),
        "null F1": _figures(scores.null_f1, 2),
        "phases better than null": f"{scores.n_better_than_null} of {scores.n_compared}",
    }


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _figures(value: float | None, n: int) -> str:
    return "–" if value is None else f"{value:.{n}f}"
