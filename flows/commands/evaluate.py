"""Evaluate predicted maps: peak positions without labels, and truth maps where there are any."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from difsims_core.errors import StoreError
from difsims_core.models.registry import CHAMPION, resolve_model
from difsims_core.results.evaluate_map import EvaluatedMap, EvaluationSources
from difsims_core.results.map_pictures import MapPictures
from difsims_core.results.map_scores import MapScores
from difsims_core.results.run_evaluation import predictions_of, run_evaluation
from difsims_core.scans.intake import evaluation_failures, record_failures
from difsims_core.scans.missing_maps import ModelOutput, renew
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore, expand_urls, open_store, url_name
from flows.execution.item_failures import ItemFailures
from flows.execution.retries import may_go_away
from flows.execution.steps import evaluate_one
from flows.ui.artifacts import tag_run
from flows.ui.events import announce, warn
from flows.ui.final_states import nothing_new, reused
from flows.ui.progress import log_and_show, track_progress
from flows.ui.summaries import show_evaluation, show_scores


def evaluate(
    predictions: Sequence[str] = (),
    experiments: str | None = None,
    truth: str | None = None,
    crystals: str | None = None,
    store: str | None = None,
    also_read: Sequence[str] = (),
) -> list[MapScores]:
    """Evaluate maps and return their scores; parameters and errors as those of the flow of this name."""
    objects = open_store(store)
    urls = expand_urls(predictions) if predictions else predictions_of(objects, resolve_model(objects, CHAMPION))
    if not urls:
        message = "the champion has predicted nothing yet, there is nothing to evaluate"
        log_and_show(message)
        return nothing_new([], message)
    sources = EvaluationSources(experiments, truth, crystals, tuple(also_read))
    failures = ItemFailures(objects)
    with track_progress(f"evaluate {urls[0]}", "evaluating", len(urls), "maps") as work:
        run = run_evaluation(
            objects,
            urls,
            sources,
            progress=lambda done, url: work.update("maps", done, url_name(url)),
            on_map=partial(_show, objects),
            evaluate_one=lambda url: evaluate_one(objects.root, url, sources),
            guard=failures.catch,
        )
    _keep(objects, run.scores, failures)
    return _conclude(objects.root, list(run.scores), failures, len(urls))


def _show(store: ObjectStore, evaluated: EvaluatedMap, pictures: MapPictures) -> None:
    show_evaluation(store, evaluated, pictures)
    tag_run(evaluated.scores.model, evaluated.scores.name)


def _keep(store: ObjectStore, scores: Sequence[MapScores], failures: ItemFailures) -> None:
    """Keep for the intake why maps could not be evaluated; renew scores that are older than their maps and still right.

    A store that failed says nothing of the map.
    """
    reasons = {url: reason for url, reason in failures.reasons.items() if not may_go_away(failures.errors[url])}
    known = [item for item in scores if item.reused]
    try:
        outputs = {model: ModelOutput.listed(store, model) for model in {item.model for item in known}}
        for item in known:
            if not outputs[item.model].is_evaluated(item.name):
                renew(store, layout.evaluation(item.model, item.name))
        for model, failed in evaluation_failures(store, reasons).items():
            record_failures(store, model, failed)
    except StoreError as error:  # no reason to lose scores
        warn(f"the intake does not know of these evaluations and will ask for them again: {error}")


def _conclude(root: str, scores: list[MapScores], failures: ItemFailures, total: int) -> list[MapScores]:
    """Leave the table of scores, announce those that are new, and return all."""
    show_scores(scores, len(failures.reasons))
    fresh = [item for item in scores if not item.reused]
    if fresh:
        log_and_show(f"evaluated {', '.join(item.name for item in fresh)}")
        _announce(root, fresh)
    done = {item.prediction: item for item in scores}
    failures.raise_if_any(total, "predictions cannot be evaluated", "; the others are", done)
    if fresh:
        return scores
    message = f"reused the scores of {', '.join(item.name for item in scores)}: same predictions, truth and crystals"
    log_and_show(message)
    return reused(scores, message)


def _announce(root: str, fresh: list[MapScores]) -> None:
    """Announce new scores, once a model."""
    for model in sorted({item.model for item in fresh}):
        scored = [item for item in fresh if item.model == model]
        url = scored[0].url if len(scored) == 1 else f"{scored[0].url.rpartition('/')[0]}/"
        details = {"evaluations": len(scored), "experiments": [item.name for item in scored[:100]]}
        labels = {"difsims.url": url, "difsims.model": model}
        announce("evaluations.written", model, root, labels=labels, payload=details)
