"""The whole way as one document says: simulate, train, predict, evaluate, report."""

from __future__ import annotations

from typing import Any

from prefect.runtime import flow_run

from difsims_core.config.pipeline import PipelineSpec
from difsims_core.learn.bundle import load_bundle
from difsims_core.results.scores import places_of
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import TRUTH_ENDING, predicted_name
from difsims_core.storage.objects import ObjectStore, expand_urls, files_in, open_store
from flows.evaluate import evaluate
from flows.execution.no_persistence import flow
from flows.execution.tasks import report
from flows.predict import distinct_scans, predict
from flows.simulate import simulate
from flows.train import train
from flows.ui.artifacts import link, short_count, table, tag_run
from flows.ui.parameters import Pipeline, StoreUrl, Title
from flows.ui.progress import show_line
from flows.ui.run_page import RunPage, run_page
from flows.ui.summaries import scores_in_words, show_map

_DEFAULT = PipelineSpec()
_MOST_PICTURES = 24  # on the page of a run; all maps are in the report


def check_inputs(spec: PipelineSpec) -> None:
    """Refuse, before any work, scans and truth maps that are not there."""
    if spec.experiments:
        distinct_scans(expand_urls(spec.experiments))
    if spec.truth_folder is not None:
        files_in(spec.truth_folder, TRUTH_ENDING)


def _run_name() -> str:
    spec: PipelineSpec = flow_run.parameters["spec"]
    scans = ", ".join(item.rstrip("/").rsplit("/", 1)[-1] for item in spec.experiments[:3]) or "no experiments"
    patterns = f"{short_count(spec.simulation.n_patterns)} × {len(spec.simulation.class_names)} phases"
    return f"pipeline {patterns}, {spec.training.network}, {scans}"


@flow(name="pipeline", flow_run_name=_run_name)
def pipeline(
    spec: Pipeline = _DEFAULT, store: StoreUrl = None, title: Title = "Phase maps from simulated patterns"
) -> dict[str, Any]:
    """Go the whole way and return ``simulation``, ``model``, ``predictions``, ``scores`` and ``report``.

    Parameters
    ----------
    spec
        All stages in one document.
    store
        Root URL of the store; default: ``DIFSIMS_STORE``.
    title
        Heading of the report.
    """
    place = open_store(store)
    check_inputs(spec)
    stages = ("simulate", "train", *(("predict", "evaluate") if spec.experiments else ()), "report")
    with run_page("pipeline", ", ".join(stages), _on_what(spec), len(stages)) as page:
        simulation = simulate(spec.simulation, place.root)
        tag_run(simulation)
        page.stage_done(f"dataset {simulation}", {simulation: place.url(layout.simulation(simulation))})
        model = train([simulation], spec.training, place.root)
        tag_run(model)
        page.stage_done(f"model {model}", {model: place.url(layout.model(model))}, good=_held_out(place, model))
        return _map_and_report(place, spec, page, simulation=simulation, model=model, title=title)


def _map_and_report(
    place: ObjectStore, spec: PipelineSpec, page: RunPage, *, simulation: str, model: str, title: str
) -> dict[str, Any]:
    """Predict and evaluate the scans, show the maps, write the report; return what the flow returns."""
    predictions, scores, places = [], [], places_of((), spec.simulation)
    if spec.experiments:
        predictions = predict(model, list(spec.experiments), place.root, spec.q_unit)
        maps = {predicted_name(url): url for url in predictions}
        page.stage_done(f"{len(maps)} phase maps: {', '.join(maps)}", maps)
        places = places_of(expand_urls(spec.experiments), spec.simulation)
        scores = evaluate(predictions, truth=spec.truth_folder, store=place.root, places=places)
        table("evaluation", scores, f"Scores of {len(scores)} maps")
        for row in scores[:_MOST_PICTURES]:
            show_map(place, row["model"], maps[row["map"]])
        page.stage_done(f"scores: {scores_in_words(scores)}", good=f"{page.good}; {scores_in_words(scores)}")
    written = report(place.root, spec, simulation, model, scores, title, places)
    told = f"{'reused' if written['reused'] else 'wrote'} the report {written['url']}"
    show_line(told)
    opened = link(place, "report", written["key"], title)
    page.stage_done(told, {"report": written["url"]} | ({"open the report": opened} if opened else {}))
    return {
        "simulation": simulation,
        "model": model,
        "predictions": predictions,
        "scores": scores,
        "report": written["url"],
    }


def _on_what(spec: PipelineSpec) -> str:
    simulation, network = spec.simulation, spec.training.network
    scans = ", ".join(spec.experiments) or "no experiments"
    return f"{simulation.n_patterns:,} patterns of {', '.join(simulation.class_names)}; {network}; {scans}"


def _held_out(place: ObjectStore, model: str) -> str:
    return f"right on {load_bundle(model, place).metrics['accuracy']:.1%} of the simulated patterns held out"
