"""Predict the phase maps of measured scans with a trained model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from difsims_core.errors import (
    CorruptDataError,
    DifsimsError,
    MissingObjectError,
    ModelError,
    StoreError,
)
from difsims_core.learn.predict import PredictionResult
from difsims_core.learn.predict_scans import run_prediction
from difsims_core.models.registry import CHAMPION, resolve_model
from difsims_core.results.evaluate_map import locations_of
from difsims_core.results.scan_verdicts import verdict_of_map
from difsims_core.scans.intake import Failure, record_failures, scans_to_predict
from difsims_core.scans.listing import list_scans, scan_key
from difsims_core.scans.missing_maps import ModelOutput, renew
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import experiment_name
from difsims_core.storage.objects import ObjectInfo, ObjectStore, expand_urls, open_store, url_name
from difsims_core.unit_names import QUnit
from flows.execution.item_failures import ItemFailures
from flows.execution.steps import predict_one
from flows.settings import load_settings
from flows.ui.artifacts import tag_run
from flows.ui.events import announce, warn
from flows.ui.final_states import nothing_new, reused
from flows.ui.progress import log_and_show, track_progress
from flows.ui.summaries import show_predictions

EvaluateMaps = Callable[..., object]


def predict(
    model: str = CHAMPION,
    experiments: Sequence[str] = (),
    store: str | None = None,
    q_unit: QUnit | None = None,
    beam_energy_kv: float | None = None,
    *,
    evaluate: EvaluateMaps | None = None,
) -> list[str]:
    """Map scans and return the URLs of the maps; parameters and errors as those of the flow of this name.

    ``evaluate`` is what evaluates maps without scores, of URLs, ``store`` and ``also_read``; None: they have none.
    """
    objects = open_store(store)
    model = resolve_model(objects, model)
    model_id, tries = model.rstrip("/").rpartition("/")[2], load_settings().intake_tries
    scans = None if experiments else list_scans(objects)
    urls = expand_urls(experiments) if scans is None else _all_scans(objects, scans, model_id, tries)
    if not urls:
        message = f"no experiments to predict below {objects.url(layout.PROFILES)}"
        log_and_show(message)
        return nothing_new([], message)
    reading = {} if q_unit is None else {"q_unit": q_unit, "beam_energy_kv": beam_energy_kv}
    listed = _listed(objects, urls, scans)
    # A scan that is missing or damaged is an InputError; these are of the model.
    failures = ItemFailures(objects, ModelError, MissingObjectError, CorruptDataError)
    with track_progress(f"predict {model}", "predicting", len(urls), "maps") as work:
        run = run_prediction(
            objects,
            model,
            urls,
            progress=lambda done, url: work.update("maps", done, url_name(url)),
            predict_one=lambda url: predict_one(objects.root, model, url, **reading),
            guard=failures.catch,
        )
    results = list(run.results)
    _keep(objects, model_id, listed, failures)
    news = _news(objects, model_id, listed, results)
    also_read = locations_of(url for url in urls if scan_key(objects, url) is None)
    _announce(objects, model_id, news, also_read)
    failed = None if evaluate is None else _evaluated(evaluate, objects, news, also_read)
    found = _conclude(objects, results, failures, urls)
    if failed is not None:
        raise failed
    return found


def _all_scans(store: ObjectStore, scans: list[ObjectInfo], model: str, tries: int) -> list[str]:
    urls, left = scans_to_predict(store, model, tries=tries, listed=scans)
    if left:
        names = ", ".join(f"{name} ({reason})" for name, reason in list(left.items())[:5])
        log_and_show(
            f"left out {len(left)} scans that cannot be read or were given up: {names}{', …' * (len(left) > 5)}"
        )
    return urls


def _listed(store: ObjectStore, urls: list[str], scans: list[ObjectInfo] | None = None) -> dict[str, ObjectInfo]:
    """Return what the store says of those scans that lie in it: now, unless ``scans`` have just been listed."""
    keys = {url: key for url in urls if (key := scan_key(store, url)) is not None}
    known = {info.key: info for info in (list_scans(store) if scans is None else scans)} if keys else {}
    return {url: known[key] for url, key in keys.items() if key in known}


def _keep(store: ObjectStore, model: str, listed: dict[str, ObjectInfo], failures: ItemFailures) -> None:
    """Keep for the intake why scans of the store failed; a store that failed says nothing of the scan.

    One that changed meanwhile counts as failed with its former content: the intake tries it again.
    """
    now = _listed(store, list(listed))
    reasons = {url: why for url, why in failures.reasons.items() if not isinstance(failures.errors[url], StoreError)}
    failed = [
        Failure(scan, reasons.get(url, "it changed while it was predicted"))
        for url, scan in listed.items()
        if url in reasons or not now.get(url, scan).has_content(scan.size, scan.etag)
    ]
    try:
        record_failures(store, model, failed)
    except StoreError as error:  # no reason to lose predictions
        warn(f"the intake does not know which scans failed and will try them again: {error}")


def _conclude(
    store: ObjectStore, results: list[PredictionResult], failures: ItemFailures, urls: list[str]
) -> list[str]:
    """Tell of the predictions, tag the run, and return the URLs."""
    tag_run(*{result.model for result in results}, *(result.name for result in results))
    show_predictions(results, len(failures.reasons))
    for result in results:
        if result.n_invalid:
            unusable = f"{result.n_invalid} pixels without a usable profile"
            log_and_show(f"{result.name}: {unusable} got a uniform probability")
    for result in results:
        verdict = verdict_of_map(store, result.url)
        if verdict is not None and verdict.overall == "bad":
            log_and_show(f"{result.name}: do not trust this map. {verdict.in_words}")
    fresh = [result for result in results if not result.reused]
    found = [result.url for result in results]
    if fresh:
        log_and_show(f"predicted {', '.join(result.name for result in fresh)}")
    done = dict(zip((url for url in urls if url not in failures.errors), found, strict=True))
    failures.raise_if_any(len(urls), "scans cannot be predicted", f"; the other {len(found)} are predicted", done)
    if fresh:
        return found
    message = f"reused the predictions of {', '.join(result.name for result in results)}: same scans and model"
    log_and_show(message)
    return reused(found, message)


def _news(
    store: ObjectStore, model: str, listed: dict[str, ObjectInfo], results: list[PredictionResult]
) -> list[PredictionResult]:
    """Return the predictions that are new or not evaluated; one older than its scan, and still right, is renewed."""
    if not results:
        return []
    output, scans = ModelOutput.listed(store, model), {experiment_name(url): scan for url, scan in listed.items()}
    renewed = set[str]()  # their scores are older from now on
    for result in results:
        scan = scans.get(result.name)
        if result.reused and scan is not None and not output.is_predicted(scan):
            renew(store, layout.prediction(model, result.name))
            renewed.add(result.name)
    return [
        result
        for result in results
        if not result.reused or result.name in renewed or not output.is_evaluated(result.name)
    ]


def _announce(store: ObjectStore, model: str, news: list[PredictionResult], also_read: list[str]) -> None:
    """Announce the predictions that are new or not evaluated.

    With them goes where this run was told to read scans outside the store: their evaluation may read there, too.
    """
    if not news:
        return
    url = news[0].url if len(news) == 1 else f"{store.url(layout.predictions(model))}/"
    experiments = [result.name for result in news[:100]]
    details = {"predictions": len(news), "experiments": experiments, "also_read": also_read}
    labels = {"difsims.url": url, "difsims.model": model}
    announce("predictions.written", model, store.root, labels=labels, payload=details)


def _evaluated(
    evaluate: EvaluateMaps, store: ObjectStore, news: list[PredictionResult], also_read: list[str]
) -> DifsimsError | None:
    """Evaluate predictions; return what went wrong."""
    try:
        if news:
            evaluate([result.url for result in news], store=store.root, also_read=also_read)
    except DifsimsError as error:
        return error
    return None
