"""Rounds of the watch without waits and without a network, on a store with scans."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from difsims_core.models.registry import read_registry
from difsims_core.results.evaluate_map import EvaluatedMap
from difsims_core.scans import intake, reconcile
from difsims_core.scans.attempts import read_attempts
from difsims_core.scans.isolated_reader import ReadingLimits
from difsims_core.scans.missing_maps import Inventory
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import predicted_name, write_profiles
from difsims_core.storage.objects import ObjectStore, open_store
from flows import watch
from flows.commands import evaluate as evaluating
from flows.execution import steps
from tests.evaluated import evaluated_map
from tests.flows.prefect_records import artifacts_of, latest_run
from tests.learn.test_predict import Q, bundle_of, measured
from tests.uploads import ReaderHere, crown

MODEL = bundle_of().id


def quick_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds count however close together; two tries; a stand-in network, and scores that are nothing but there."""
    for name in ("SECONDS_BETWEEN_TRIES", "LEAST_GRACE_SECONDS"):
        monkeypatch.setattr(reconcile, name, 0)
    monkeypatch.setattr(watch, "ReadingLimits", lambda memory_mb, _seconds: ReadingLimits(memory_mb, 0.001))
    monkeypatch.setattr(reconcile, "ScanReader", ReaderHere)
    monkeypatch.setenv("DIFSIMS_INTAKE_TRIES", "2")
    monkeypatch.setattr(steps, "read_bundle", lambda _store, _model: bundle_of())
    monkeypatch.setattr(evaluating, "evaluate_one", evaluate_one)
    monkeypatch.setattr("difsims_core.results.run_evaluation.keep_pictures", lambda *_: None)
    for name in ("show_evaluation", "show_scores"):
        monkeypatch.setattr(evaluating, name, lambda *_, **__: None)


def evaluate_one(root: str, url: str, *_: object) -> EvaluatedMap:
    """Leave something in the place of the scores of a prediction."""
    store, name = open_store(root), predicted_name(url)
    key = layout.evaluation(MODEL, name)
    store.write(key, b"scores")
    return evaluated_map(name, MODEL, store.url(key))


def store_of_model(store: str) -> ObjectStore:
    """Return a store whose champion is the stand-in network."""
    opened = open_store(store)
    crown(opened, MODEL)
    return opened


def url_of(place: ObjectStore, name: str) -> str:
    return place.url(layout.experiment_profiles(name))


def put(place: ObjectStore, name: str, q: np.ndarray = Q) -> str:
    write_profiles(url_of(place, name), q, measured(2, 3, q=q))
    return url_of(place, name)


def put_half(place: ObjectStore, name: str) -> str:
    put(place, "whole")
    data = place.read(layout.experiment_profiles("whole"))
    place.delete(layout.experiment_profiles("whole"))
    place.write(layout.experiment_profiles(name), data[: len(data) // 2])
    return url_of(place, name)


def states(place: ObjectStore) -> dict[str, str]:
    champion = read_registry(place).champion
    inventory = Inventory.listed(place, [] if champion is None else [champion.model])
    return {state.name: state.state for state in intake.scan_states(inventory, read_attempts(place), tries=2)}


def rows_of_intake() -> list[dict[str, Any]]:
    return json.loads(artifacts_of(latest_run("watch-experiments"))["intake"].data)
