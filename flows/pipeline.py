"""The whole way as one document says: simulate, train, predict, evaluate, report."""

from __future__ import annotations

from typing import Any

from prefect import flow, tags
from prefect.runtime import flow_run

from difsims_core.config.pipeline import PipelineSpec
from difsims_core.learn.networks import NETWORKS
from difsims_core.storage.npz import TRUTH_ENDING
from difsims_core.storage.objects import expand_urls, files_in, open_store
from flows.artifacts import links, short_count, tag_run
from flows.evaluate import evaluate
from flows.parameters import Pipeline, StoreUrl, Title
from flows.predict import distinct_scans, predict
from flows.progress import say
from flows.simulate import simulate
from flows.tasks import report
from flows.train import train

_DEFAULT = PipelineSpec()


def check_inputs(spec: PipelineSpec) -> None:
    """Refuse, before any work, scans, truth maps and networks that are not there."""
    NETWORKS[spec.training.network]
    if spec.experiments:
        distinct_scans(expand_urls(spec.experiments))
    if spec.truth_folder is not None:
        files_in(spec.truth_folder, TRUTH_ENDING)


def _run_name() -> str:
    spec: PipelineSpec = flow_run.parameters["spec"]
    scans = ", ".join(item.rstrip("/").rsplit("/", 1)[-1] for item in spec.experiments[:3]) or "no experiments"
    patterns = f"{short_count(spec.simulation.n_patterns)} × {len(spec.simulation.class_names)} phases"
    return f"pipeline {patterns}, {spec.training.network}, {scans}"


@flow(name="pipeline", flow_run_name=_run_name, persist_result=False, result_serializer="json")
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
    root = open_store(store).root
    check_inputs(spec)
    simulation = simulate(spec.simulation, root)
    tag_run(simulation)
    with tags(simulation):
        model = train([simulation], spec.training, root)
        tag_run(model)
        with tags(model):
            predictions = predict(model, list(spec.experiments), root) if spec.experiments else []
            scores = evaluate(predictions, None, spec.truth_folder, None, root) if predictions else []
            written = report(root, spec, simulation, model, scores, title)
    say(f"{'reused' if written['reused'] else 'wrote'} the report {written['url']}")
    links("report", {"report": written["url"]}, title)
    return {
        "simulation": simulation,
        "model": model,
        "predictions": predictions,
        "scores": scores,
        "report": written["url"],
    }
