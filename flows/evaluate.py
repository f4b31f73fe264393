"""Evaluate predicted maps: peak positions without labels, and truth maps where there are any."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from prefect.runtime import flow_run

from difsims_core.crystal.catalogue import crystal_files
from difsims_core.errors import DifsimsError, InputError, StoreError
from difsims_core.models.registry import CHAMPION, resolve_model
from difsims_core.scans.intake import evaluation_failures, record_failures
from difsims_core.scans.missing_maps import ModelOutput, renew
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import (
    PREDICTION_ENDINGS,
    TRUTH_ENDING,
    experiment_name,
    predicted_name,
    read_prediction,
)
from difsims_core.storage.objects import ObjectStore, expand_urls, files_in, open_store, url_name
from flows.execution.item_failures import ItemFailures
from flows.execution.no_persistence import flow
from flows.execution.retries import may_go_away
from flows.execution.tasks import score
from flows.ui.artifacts import tag_run
from flows.ui.events import announce, warn
from flows.ui.final_states import nothing_new, reused
from flows.ui.parameters import CrystalFolder, ExperimentFolder, Places, Predictions, StoreUrl, TruthFolder
from flows.ui.progress import log_and_show, track_progress
from flows.ui.summaries import show_evaluation, show_scores

_EVERYTHING: list[str] = []
_NOWHERE_ELSE: list[str] = []


def _run_name() -> str:
    count = len(flow_run.parameters.get("predictions") or [])
    return f"evaluate {count or 'all'} prediction{'s' if count != 1 else ''}"


@flow(name="evaluate", flow_run_name=_run_name)
def evaluate(
    predictions: Predictions = _EVERYTHING,
    experiments: ExperimentFolder = None,
    truth: TruthFolder = None,
    crystals: CrystalFolder = None,
    store: StoreUrl = None,
    places: Places = _NOWHERE_ELSE,
) -> list[dict[str, Any]]:
    """Score predictions and return one row of numbers each; scores of the same inputs are not computed again.

    Parameters
    ----------
    predictions
        Files, folders, globs or URLs; none: all predictions of the champion.
    experiments
        Folder of the scans; default: where each prediction says that its scan lies, in the store or in ``places``.
    truth
        Folder of ``<name>_truth.npz`` maps; used for scores alone.
    crystals
        Folder of CIF files; default: those of the datasets behind each prediction, or the shipped ones.
    store
        Root URL of the store; default: ``DIFSIMS_STORE``.
    places
        Folders and files outside the store that may be read where predictions and datasets name them.
    """
    place = open_store(store)
    root = place.root
    if not predictions:
        predictions = _of_champion(place)
        if not predictions:
            message = "the champion has predicted nothing yet, there is nothing to evaluate"
            log_and_show(message)
            return nothing_new([], message)
    urls = expand_urls(predictions)
    if truth is not None:
        files_in(truth, TRUTH_ENDING)
    if crystals is not None:
        crystal_files(crystals)
    rows, failures = [], ItemFailures(place)
    with track_progress(f"evaluate {urls[0]}", "evaluating", len(urls), "maps") as work:
        for done, url in enumerate(urls, start=1):
            with failures.catch(url):
                row = score(root, url, experiments, truth, crystals, places)
                rows.append(row)  # it has its scores, whatever becomes of its pictures
                show_evaluation(root, url, row["scores"], truth, redraw=not row["reused"])
                tag_run(row["model"], row["map"])
            work.update("maps", done, url_name(url))
    _keep(place, rows, failures)
    return _conclude(root, rows, failures, len(urls))


def _of_champion(store: ObjectStore) -> list[str]:
    """Return the URLs of all predictions of the champion; none under an earlier name whose scan has another by now."""
    urls: dict[str, str] = {}
    for key in store.list(layout.predictions(resolve_model(store, CHAMPION))):
        if key.endswith(PREDICTION_ENDINGS):
            with suppress(InputError):  # an object with a name that this store never gives
                urls[predicted_name(store.url(key))] = store.url(key)
    return [url for name, url in urls.items() if f"{name}_radial_crop" not in urls or not _is_earlier(name, url)]


def _is_earlier(name: str, url: str) -> bool:
    """Return whether a prediction lies under the earlier, shorter name of its scan."""
    try:
        return experiment_name(read_prediction(url).experiment) != name
    except DifsimsError:
        return False  # its evaluation says what is wrong with it


def _keep(store: ObjectStore, rows: list[dict[str, Any]], failures: ItemFailures) -> None:
    """Keep for the intake why maps could not be evaluated; renew scores that are older than their maps and still right.

    A store that failed says nothing of the map.
    """
    reasons = {url: reason for url, reason in failures.reasons.items() if not may_go_away(failures.errors[url])}
    reused = [row for row in rows if row["reused"]]
    try:
        outputs = {model: ModelOutput.listed(store, model) for model in {row["model"] for row in reused}}
        for row in reused:
            if not outputs[row["model"]].is_evaluated(row["map"]):
                renew(store, layout.evaluation(row["model"], row["map"]))
        for model, failed in evaluation_failures(store, reasons).items():
            record_failures(store, model, failed)
    except StoreError as error:  # no reason to lose scores
        warn(f"the intake does not know of these evaluations and will ask for them again: {error}")


def _conclude(root: str, rows: list[dict[str, Any]], failures: ItemFailures, total: int) -> list[dict[str, Any]]:
    """Leave the table of scores, announce those that are new, and return the rows."""
    show_scores(rows, len(failures.reasons))
    fresh = [row for row in rows if not row["reused"]]
    if fresh:
        log_and_show(f"evaluated {', '.join(row['map'] for row in fresh)}")
        _announce(root, fresh)
    failures.raise_if_any(total, "predictions cannot be evaluated", "; the others are")
    if fresh:
        return rows
    message = f"reused the scores of {', '.join(row['map'] for row in rows)}: same predictions, truth and crystals"
    log_and_show(message)
    return reused(rows, message)


def _announce(root: str, fresh: list[dict[str, Any]]) -> None:
    """Announce new scores, once a model."""
    for model in sorted({row["model"] for row in fresh}):
        scored = [row for row in fresh if row["model"] == model]
        url = scored[0]["scores"] if len(scored) == 1 else f"{scored[0]['scores'].rpartition('/')[0]}/"
        details = {"evaluations": len(scored), "experiments": [row["map"] for row in scored[:100]]}
        labels = {"difsims.url": url, "difsims.model": model}
        announce("evaluations.written", model, root, labels=labels, payload=details)
