"""``difsims demo``: the whole way once, on sample scans whose truth is known."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from difsims_core.config.documents import load_spec, make_spec
from difsims_core.config.pipeline import PipelineSpec
from difsims_core.learn.bundle import load_bundle
from difsims_core.resources import samples_folder, specs_folder
from difsims_core.results.map_scores import MapScores
from difsims_core.results.run_report import compared_picture
from difsims_core.storage.names import as_written
from difsims_core.storage.objects import open_store
from flows.cli import console
from flows.cli.scans import SCORES_EXPLAINED
from flows.cli.session import run_flow


def demo_spec(n_patterns: int, epochs: int) -> PipelineSpec:
    """Return the document of the demo: the recipe with fewer patterns, a network of profiles beside it, the samples."""
    recipe = load_spec(specs_folder() / "polar.yaml", PipelineSpec, (f"simulation.n_patterns={n_patterns}",))
    shorter = recipe.training.to_document() | {"epochs": epochs, "patience": epochs}
    profiles = {key: shorter[key] for key in ("source", "schedule", "clip_norm", "held_out_fraction")}
    profiles |= {"network": "large_filter", "epochs": 2 * epochs, "patience": 2 * epochs}  # they are quicker
    return make_spec(
        recipe.to_document()
        | {
            "training": shorter,
            "also": [profiles],
            "raw_scans": [str(samples_folder() / "film.hspy")],
            "experiments": [str(samples_folder() / "*_radial_crop.npz")],
            "truth_folder": str(samples_folder() / "truth"),
        },
        PipelineSpec,
    )


def run_demo(store: str | None, n_patterns: int, epochs: int, *, verbose: bool = False, as_json: bool = False) -> None:
    """Run the demo and print its table, the path of its report, and that of the maps side by side."""
    started = time.monotonic()
    spec, object_store = demo_spec(n_patterns, epochs), open_store(store)
    console.tell(f"difsims demo: crystal files to phase maps, store {object_store.root}")
    outcome = run_flow("pipeline", spec, object_store.root, "difsims demo", verbose=verbose)
    models = {name: load_bundle(name, object_store) for name in (outcome.model, *outcome.also)}
    held_out = {bundle.training.label: bundle.metrics["accuracy"] for bundle in models.values()}
    seconds = time.monotonic() - started
    if as_json:
        found = asdict(outcome) | {"held_out_accuracy": held_out[models[outcome.model].training.label]}
        console.show_json(found | {"seconds": round(seconds, 1)})
        return
    scored = [_row(item, models[item.model].training.label) for item in outcome.scores]
    simulated = [
        {"data": "simulated, held out", "classifier": label, "accuracy": _percent(accuracy)}
        for label, accuracy in held_out.items()
    ]
    title = f"difsims demo: {epochs} × {n_patterns:,} patterns, {seconds:.0f} s"
    console.show_table(title, [*simulated, *scored], scored[-1])
    console.results.print(SCORES_EXPLAINED)
    for name in dict.fromkeys(item.name for item in outcome.scores):
        if object_store.exists(key := compared_picture(outcome.model, name)):
            console.show_line(f"maps of {name} side by side: {as_written(object_store.url(key))}")
    console.show_line(f"report: {as_written(outcome.report)}")


def _row(scores: MapScores, classifier: str) -> dict[str, Any]:
    return {
        "data": scores.name.removesuffix("_radial_crop"),
        "classifier": classifier,
        "accuracy": _percent(scores.accuracy),
        "off boundaries": _percent(scores.accuracy_off_boundaries),
        "grain by grain": _percent(scores.accuracy_of_grains),
        "peak distance (1/Å)": _figures(scores.mean_distance_per_angstrom, 4),
        "peaks F1": _figures(scores.peaks_f1, 2),
        "null F1": _figures(scores.null_f1, 2),
        "better than null": f"{scores.n_better_than_null} of {scores.n_compared}",
    }


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _figures(value: float | None, n: int) -> str:
    return "–" if value is None else f"{value:.{n}f}"
