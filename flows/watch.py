"""Compare raw scans, profiles and maps of the store, and start what is missing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any

from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.runtime import flow_run

from difsims_core.errors import DifsimsError, InputError
from difsims_core.models.wanted import wanted_models
from difsims_core.scans.attempts import read_attempts
from difsims_core.scans.intake import ScanState
from difsims_core.scans.isolated_reader import ReadingLimits
from difsims_core.scans.listing import is_raw, list_scans, scan_url
from difsims_core.scans.missing_maps import Inventory
from difsims_core.scans.raw_intake import preprocessing_requests
from difsims_core.scans.raw_listing import RawListing, list_raw_scans, raw_name
from difsims_core.scans.reconcile import RetryRules, RunRequest, reconcile
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import PREDICTION_ENDING, experiment_name
from difsims_core.storage.objects import ObjectStore, open_store
from flows.commands.intake_states import intake_states
from flows.evaluate import evaluate
from flows.execution.no_persistence import flow
from flows.execution.sweep_points import check_deployment
from flows.predict import predict
from flows.preprocess import preprocess
from flows.settings import load_settings
from flows.ui.artifacts import table, tag_run
from flows.ui.events import announce, warn
from flows.ui.final_states import nothing_new
from flows.ui.flow_runs import find_runs
from flows.ui.parameters import StoreUrl, described
from flows.ui.progress import log_and_show

TAG = "intake"  # of the runs that rounds start
_FLOWS = ("preprocess", "predict", "evaluate")
_MOST_ROWS = 200
_MOST_TAGS = 100
_MOST_NAMES = 5

Deployment = Annotated[
    str | None,
    described(
        "name of the deployments of preprocess, predict and evaluate that are started, such as local; empty: they run "
        "here"
    ),
]


def _run_name() -> str:
    return f"watch {open_store(flow_run.parameters.get('store')).root}"


@flow(name="watch-experiments", flow_run_name=_run_name)
def watch_experiments(store: StoreUrl = None, deployment: Deployment = None) -> list[str]:
    """Start a run for what the scans of the store lack; return the URLs of these scans.

    Raw scans below ``experiments/raw/`` become profiles, once rounds have seen them unchanged for a while. The
    champion, and every model whose training asked for it, are to map and evaluate all profiles. What is missing is
    found by comparing listings; nothing depends on an event. A scan that is not whole is tried again in later rounds;
    one that fails too often is quarantined with its reason, until it changes or is released.

    Parameters
    ----------
    store
        Root URL of the store; default: ``DIFSIMS_STORE``.
    deployment
        Name of the deployments of ``preprocess``, ``predict`` and ``evaluate`` that are started; default: their flows
        run here.
    """
    objects, settings = open_store(store), load_settings()
    for name in _FLOWS if deployment else ():
        check_deployment(f"{name}/{deployment}")
    runs, before = find_unfinished(), read_attempts(objects)
    raw = list_raw_scans(objects)
    started = dict.fromkeys(_preprocess(objects, raw, runs, deployment))
    inventory = Inventory.listed(objects, wanted_models(objects))
    mine = [run for run in _of_rounds(objects, runs) if "raw" not in run.parameters]
    for request in reconcile(
        objects,
        inventory,
        datetime.now(UTC),
        tries=settings.intake_tries,
        runs=settings.intake_runs - len(mine),
        at_work=scans_at_work(objects, runs, next(iter(inventory.models), "")),
        reading=ReadingLimits(settings.intake_memory_mb, settings.intake_seconds),
    ):
        _announce(objects, request)
        _start(objects, request, deployment)
        started |= dict.fromkeys(scan.key for scan in request.scans)
        log_and_show(f"started {_in_words(request)}")
    attempts = read_attempts(objects)
    if started and not deployment:
        inventory = Inventory.listed(objects, inventory.models)
    failed = [attempt for subject, attempt in attempts.items() if attempt.reason and before.get(subject) != attempt]
    for attempt in failed[:_MOST_NAMES]:
        log_and_show(f"{attempt.scan} failed, attempt {attempt.tries}: {attempt.reason}")
    states = intake_states(objects, inventory, raw)
    if not started and not failed:
        return nothing_new([], f"nothing to start; {summary_of(states)}")
    tag_run(*(_name_of(key) for key in list(started)[:_MOST_TAGS]))
    shown = f"; the first {_MOST_ROWS} are shown" if len(states) > _MOST_ROWS else ""
    table("intake", [row_of(state) for state in states[:_MOST_ROWS]], f"{summary_of(states)}{shown}")
    return [objects.url(key) for key in started]


def _preprocess(store: ObjectStore, raw: RawListing, runs: list[FlowRun], deployment: str | None) -> Iterator[str]:
    """Start the preprocessing of raw scans; yield the key of each when it was started."""
    settings = load_settings()
    for request in preprocessing_requests(
        store,
        raw,
        {info.key for info in list_scans(store)},
        RetryRules(datetime.now(UTC), settings.intake_tries),
        quiet_seconds=settings.intake_quiet_seconds,
        runs=settings.intake_runs - len([run for run in _of_rounds(store, runs) if "raw" in run.parameters]),
        at_work=raw_scans_at_work(store, runs),
    ):
        key = request.scan.info.key
        parameters = {"raw": [scan_url(store, key)], "spec": request.spec.to_document(), "force": request.replaces}
        _run("preprocess", preprocess, parameters | {"store": store.root}, deployment)
        log_and_show(f"started preprocess {request.scan.name}{' anew, it has changed' * request.replaces}")
        yield key


def _of_rounds(store: ObjectStore, runs: Iterable[FlowRun]) -> list[FlowRun]:
    """Return those of the runs that rounds on this store have started."""
    return [run for run in runs if TAG in run.tags and run.parameters.get("store") == store.root]


def find_unfinished() -> list[FlowRun]:
    """Return the runs of preprocess, predict and evaluate that wait or go on."""
    return [run for name in _FLOWS for run in find_runs(flow=name, unfinished=True)]


def scans_at_work(store: ObjectStore, runs: Iterable[FlowRun], champion: str) -> Callable[[str, str], bool]:
    """Return whether any of these runs, which have not ended, maps or evaluates a scan with a model.

    A run of a folder or of everything stands for all scans of its model.
    """
    pairs: set[tuple[str, str | None]] = set()
    for run in runs:
        try:
            pairs.update(_pairs_of(store, run.parameters, champion))
        except Exception:  # noqa: BLE001, S112 - whatever somebody asked for, that run will say so itself
            continue
    return lambda model, key: (model, key) in pairs or (model, None) in pairs


def raw_scans_at_work(store: ObjectStore, runs: Iterable[FlowRun]) -> Callable[[str], bool]:
    """Return whether any of these runs, which have not ended, preprocesses a raw scan, asked by its key."""
    patterns: list[str] = []
    for run in runs:
        named = run.parameters.get("raw")
        for url in named if isinstance(named, list) else ():
            with suppress(InputError):  # it lies elsewhere
                patterns.append(store.key_of(str(url).rstrip("/")))
    return lambda key: any(
        key == pattern or key.startswith(f"{pattern}/") or fnmatchcase(key, pattern) for pattern in patterns
    )


def _pairs_of(store: ObjectStore, parameters: dict[str, Any], champion: str) -> Iterable[tuple[str, str | None]]:
    """Yield models and the keys of scans; None: all of a model."""
    if "raw" in parameters:
        return
    if "predictions" in parameters:
        urls = parameters["predictions"] or [store.url(layout.predictions(champion))]
        for url in urls:
            _, model, *name = store.key_of(url.rstrip("/")).split("/")
            yield model, f"{layout.PROFILES}/{name[0].removesuffix(PREDICTION_ENDING)}.npz" if name else None
        return
    model = str(parameters.get("model") or "champion").rstrip("/").rpartition("/")[2]
    if not parameters.get("experiments") and open_store(parameters.get("store")).root != store.root:
        return
    for url in parameters.get("experiments") or [store.url(layout.PROFILES)]:
        with suppress(InputError):  # it lies elsewhere
            key = store.key_of(url)
            yield champion if model == "champion" else model, key if key.endswith(".npz") and "*" not in key else None


def _start(store: ObjectStore, request: RunRequest, deployment: str | None) -> None:
    """Start the run of a deployment, or run it here: what becomes of it is seen by the next round."""
    if request.predicted:
        names = (experiment_name(scan.key) for scan in request.scans)
        maps = [store.url(layout.prediction(request.model, name)) for name in names]
        name, run, parameters = "evaluate", evaluate, {"predictions": maps}
    else:
        urls = [scan_url(store, scan.key) for scan in request.scans]
        name, run, parameters = "predict", predict, {"model": request.model, "experiments": urls, "evaluate": True}
    _run(name, run, parameters | {"store": store.root}, deployment)


def _run(name: str, run: Callable[..., Any], parameters: dict[str, Any], deployment: str | None) -> None:
    """Start the run of a deployment, or run its flow here."""
    if deployment:
        digest = hashlib.sha256(repr(parameters).encode()).hexdigest()
        once = f"{flow_run.id}-{digest}"  # however often the request has to be sent
        run_deployment(f"{name}/{deployment}", parameters=parameters, timeout=0, tags=[TAG], idempotency_key=once)
        return
    try:
        run(**parameters)
    except DifsimsError as error:
        warn(f"{name} failed: {error}")


def _announce(store: ObjectStore, request: RunRequest) -> None:
    for scan in request.new:
        details = {"size": scan.size, "etag": scan.etag}
        name, labels = experiment_name(scan.key), {"difsims.url": store.url(scan.key)}
        announce("experiment.found", name, store.root, labels=labels, payload=details)


def _name_of(key: str) -> str:
    return raw_name(key) if is_raw(key) else experiment_name(key)


def _in_words(request: RunRequest) -> str:
    names = ", ".join(experiment_name(scan.key) for scan in request.scans[:_MOST_NAMES])
    more = f" and {len(request.scans) - _MOST_NAMES} more" if len(request.scans) > _MOST_NAMES else ""
    return f"{'evaluate' if request.predicted else 'predict'} {names}{more} with {request.model}"


def row_of(state: ScanState) -> dict[str, Any]:
    """Return the row of a scan in the table of the intake."""
    row = asdict(state)
    return {"experiment": row.pop("name")} | {name: value for name, value in row.items() if name != "key"}


def summary_of(states: Iterable[ScanState]) -> str:
    """Return how many scans are in each state, in words."""
    counts: dict[str, int] = {}
    for state in states:
        counts[state.state] = counts.get(state.state, 0) + 1
    summary = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"{sum(counts.values())} scans: {summary or 'none'}"
