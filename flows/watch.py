"""Compare the scans of the store with their maps, and start what is missing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.runtime import flow_run

from difsims_core.errors import DifsimsError, InputError
from difsims_core.models.wanted import wanted_models
from difsims_core.scans.attempts import read_attempts
from difsims_core.scans.intake import ScanState, scan_states
from difsims_core.scans.isolated_reader import ReadingLimits
from difsims_core.scans.listing import scan_url
from difsims_core.scans.missing_maps import Inventory
from difsims_core.scans.reconcile import RunRequest, reconcile
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import PREDICTION_ENDING, experiment_name
from difsims_core.storage.objects import ObjectStore, open_store
from flows.evaluate import evaluate
from flows.execution.no_persistence import flow
from flows.execution.sweep_points import check_deployment
from flows.predict import predict
from flows.settings import load_settings
from flows.ui.artifacts import table, tag_run
from flows.ui.events import announce, warn
from flows.ui.final_states import nothing_new
from flows.ui.flow_runs import find_runs
from flows.ui.parameters import StoreUrl, described
from flows.ui.progress import log_and_show

TAG = "intake"  # of the runs that rounds start
_FLOWS = ("predict", "evaluate")
_MOST_ROWS = 200
_MOST_TAGS = 100
_MOST_NAMES = 5

Deployment = Annotated[
    str | None,
    described("name of the deployments of predict and evaluate that are started, such as local; empty: they run here"),
]


def _run_name() -> str:
    return f"watch {open_store(flow_run.parameters.get('store')).root}"


@flow(name="watch-experiments", flow_run_name=_run_name)
def watch_experiments(store: StoreUrl = None, deployment: Deployment = None) -> list[str]:
    """Start a run for what scans below ``experiments/profiles/`` lack; return the URLs of these scans.

    The champion, and every model whose training asked for it, are to map and evaluate every scan. What is missing is
    found by comparing listings; nothing depends on an event. A scan that is not whole is tried again in later rounds;
    one that fails too often is quarantined with its reason, until it changes or is released.

    Parameters
    ----------
    store
        Root URL of the store; default: ``DIFSIMS_STORE``.
    deployment
        Name of the deployments of ``predict`` and ``evaluate`` that are started; default: their flows run here.
    """
    objects, settings = open_store(store), load_settings()
    for name in _FLOWS if deployment else ():
        check_deployment(f"{name}/{deployment}")
    runs, before = find_unfinished(), read_attempts(objects)
    inventory = Inventory.listed(objects, wanted_models(objects))
    waiting = [run for run in runs if TAG in run.tags and run.parameters.get("store") == objects.root]
    reading = ReadingLimits(settings.intake_memory_mb, settings.intake_seconds)
    started: dict[str, None] = {}
    for request in reconcile(
        objects,
        inventory,
        datetime.now(UTC),
        tries=settings.intake_tries,
        runs=settings.intake_runs - len(waiting),
        at_work=scans_at_work(objects, runs, next(iter(inventory.models), "")),
        reading=reading,
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
    states = scan_states(inventory, attempts, tries=settings.intake_tries)
    if not started and not failed:
        return nothing_new([], f"nothing to start; {summary_of(states)}")
    tag_run(*(experiment_name(key) for key in list(started)[:_MOST_TAGS]))
    shown = f"; the first {_MOST_ROWS} are shown" if len(states) > _MOST_ROWS else ""
    table("intake", [row_of(state) for state in states[:_MOST_ROWS]], f"{summary_of(states)}{shown}")
    return [objects.url(key) for key in started]


def find_unfinished() -> list[FlowRun]:
    """Return the runs of predict and evaluate that wait or go on."""
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


def _pairs_of(store: ObjectStore, parameters: dict[str, Any], champion: str) -> Iterable[tuple[str, str | None]]:
    """Yield models and the keys of scans; None: all of a model."""
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
    parameters |= {"store": store.root}
    if deployment:
        digest = hashlib.sha256(repr(parameters).encode()).hexdigest()
        once = f"{flow_run.id}-{digest}"  # however often the request has to be sent
        run_deployment(f"{name}/{deployment}", parameters=parameters, timeout=0, tags=[TAG], idempotency_key=once)
        return
    try:
        run(**parameters)  # pyright: ignore[reportCallIssue, reportArgumentType] - one of two flows
    except DifsimsError as error:
        warn(f"{_in_words(request)} failed: {error}")


def _announce(store: ObjectStore, request: RunRequest) -> None:
    for scan in request.new:
        details = {"size": scan.size, "etag": scan.etag}
        name, labels = experiment_name(scan.key), {"difsims.url": store.url(scan.key)}
        announce("experiment.found", name, store.root, labels=labels, payload=details)


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
