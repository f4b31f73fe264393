"""Predict the phase maps of measured scans with a trained model."""

from __future__ import annotations

from prefect.runtime import flow_run

from difsims_core.errors import CorruptDataError, MissingObjectError, ModelError, StoreError
from difsims_core.learn.predict import PredictionResult
from difsims_core.learn.predict_scans import run_prediction
from difsims_core.models.registry import resolve_model
from difsims_core.results.evaluate_map import places_of
from difsims_core.scans.intake import Outcome, record, scans_to_predict
from difsims_core.scans.listing import list_scans, scan_key
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectInfo, ObjectStore, expand_urls, open_store, url_name
from flows.execution.item_failures import ItemFailures
from flows.execution.no_persistence import flow
from flows.execution.tasks import predict_one
from flows.settings import load_settings
from flows.ui.artifacts import tag_run
from flows.ui.events import announce, warn
from flows.ui.final_states import nothing_new, reused
from flows.ui.parameters import BeamEnergy, Experiments, Model, QUnitOfScans, StoreUrl
from flows.ui.progress import log_and_show, track_progress
from flows.ui.summaries import show_predictions

_EVERYTHING: list[str] = []


def _run_name() -> str:
    model, experiments = (flow_run.parameters.get(key) for key in ("model", "experiments"))
    names = ", ".join(item.rsplit("/", 1)[-1] for item in (experiments or [])[:3]) or "all experiments"
    return f"predict {names} with {(model or 'champion').rsplit('/', 1)[-1][:12]}"


@flow(name="predict", flow_run_name=_run_name)
def predict(
    model: Model = "champion",
    experiments: Experiments = _EVERYTHING,
    store: StoreUrl = None,
    q_unit: QUnitOfScans = None,
    beam_energy_kv: BeamEnergy = None,
) -> list[str]:
    """Predict phase maps and return the URLs of the predictions; those of the same scan and model are kept.

    Parameters
    ----------
    model
        Id or URL of a trained model, or ``champion``.
    experiments
        Files, folders, globs or URLs of measured profiles; none: all below ``experiments/profiles/`` of the store.
    store
        Root URL of the store; default: ``DIFSIMS_STORE``.
    q_unit
        Unit of the scans' ``x``; None: Å⁻¹ is expected, and an axis that looks like another unit is refused.
    beam_energy_kv
        Of the scans, kV, for ``mrad`` alone; None: that of the simulations behind the model.
    """
    place = open_store(store)
    model = resolve_model(place, model)
    urls = expand_urls(experiments) if experiments else _all_scans(place)
    if not urls:
        message = f"no experiments to predict below {place.url(layout.PROFILES)}"
        log_and_show(message)
        return nothing_new([], message)
    reading = {} if q_unit is None else {"q_unit": q_unit, "beam_energy_kv": beam_energy_kv}
    listed, tries = _listed(place, urls), load_settings().intake_tries
    # A scan that is missing or damaged is an InputError; these are of the model.
    results: list[PredictionResult] = []
    failures = ItemFailures(place, ModelError, MissingObjectError, CorruptDataError)

    def map_scan(url: str) -> PredictionResult:
        results.append(predict_one(place.root, model, url, **reading))
        return results[-1]

    try:
        with track_progress(f"predict {model}", "predicting", len(urls), "maps") as work:
            run_prediction(
                place,
                model,
                urls,
                progress=lambda done, url: work.update("maps", done, url_name(url)),
                predict_one=map_scan,
                guard=failures.catch,
            )
    finally:
        _announce(place, results, urls)  # however it ends: what is written is to be evaluated
    _keep(place, model, _outcomes(listed, failures), tries)
    return _conclude(results, failures, len(urls))


def _all_scans(store: ObjectStore) -> list[str]:
    urls, left = scans_to_predict(store)
    if left:
        names = ", ".join(f"{entry.name} ({entry.state})" for entry in left[:5])
        more = ", …" * (len(left) > 5)
        log_and_show(f"left out {len(left)} scans that are not whole or are quarantined: {names}{more}")
    return urls


def _listed(store: ObjectStore, urls: list[str]) -> dict[str, ObjectInfo]:
    """Return what the store says now of those scans that lie in it."""
    keys = {url: key for url in urls if (key := scan_key(store, url)) is not None}
    known = {info.key: info for info in list_scans(store)} if keys else {}
    return {url: known[key] for url, key in keys.items() if key in known}


def _outcomes(listed: dict[str, ObjectInfo], failures: ItemFailures) -> list[Outcome]:
    """Return what became of scans; a store that failed says nothing of the scan."""
    reasons = failures.reasons
    return [
        Outcome(info, reasons.get(url))
        for url, info in listed.items()
        if not isinstance(failures.errors.get(url), StoreError)
    ]


def _keep(store: ObjectStore, model: str, outcomes: list[Outcome], tries: int) -> None:
    """Keep for the intake what became of the store's scans; it is no reason to lose predictions."""
    try:
        record(store, model.rstrip("/").rsplit("/", 1)[-1], outcomes, tries=tries)
    except StoreError as error:
        warn(f"the intake does not know of these predictions and will ask for them again: {error}")


def _conclude(results: list[PredictionResult], failures: ItemFailures, total: int) -> list[str]:
    """Tell of the predictions, tag the run, and return the URLs."""
    tag_run(*{result.model for result in results}, *(result.name for result in results))
    show_predictions(results, len(failures.reasons))
    for result in results:
        if result.n_invalid:
            unusable = f"{result.n_invalid} pixels without a usable profile"
            log_and_show(f"{result.name}: {unusable} got a uniform probability")
    fresh = [result for result in results if not result.reused]
    found = [result.url for result in results]
    if fresh:
        log_and_show(f"predicted {', '.join(result.name for result in fresh)}")
    failures.raise_if_any(total, "scans cannot be predicted", f"; the other {len(found)} are predicted")
    if fresh:
        return found
    message = f"reused the predictions of {', '.join(result.name for result in results)}: same scans and model"
    log_and_show(message)
    return reused(found, message)


def _announce(place: ObjectStore, results: list[PredictionResult], urls: list[str]) -> None:
    """Announce the predictions that are new, and those of a run that was stopped before it could announce them.

    With them goes where this run was told to read scans outside the store: their evaluation may read there, too.
    """
    left = _left_unevaluated(place, [result for result in results if result.reused])
    news = [result for result in results if not result.reused or result.name in left]
    if not news:
        return
    model = news[0].model
    url = news[0].url if len(news) == 1 else f"{place.url(layout.predictions(model))}/"
    details = {
        "predictions": len(news),
        "experiments": [result.name for result in news[:100]],
        "places": places_of(url for url in urls if scan_key(place, url) is None),
    }
    labels = {"difsims.url": url, "difsims.model": model}
    announce("predictions.written", model, place.root, labels=labels, payload=details)


def _left_unevaluated(place: ObjectStore, reused: list[PredictionResult]) -> set[str]:
    """Return the names of predictions that were there already and have no evaluation."""
    if not reused:
        return set()
    model = reused[0].model
    try:
        evaluated = set(place.list(layout.evaluations(model)))
    except StoreError as error:
        warn(f"predictions of {model} that were there already may be without an evaluation: {error}")
        return set()
    return {result.name for result in reused if layout.evaluation(model, result.name) not in evaluated}
