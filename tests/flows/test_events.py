"""Events reach the server with what triggers need, and never fail a run."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL, temporary_settings

from difsims_core.errors import PartlyFailedError, StoreError
from difsims_core.learn.predict import PredictionResult
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from flows import evaluate as flows_evaluate
from flows import predict as flows_predict
from flows import train as flows_train
from flows.commands import evaluate as evaluate_command
from flows.commands import predict as predict_command
from flows.commands import train as train_command
from flows.ui.events import announce
from tests.evaluated import evaluated_map
from tests.flows.prefect_records import latest_run

MODEL = "cnn-00000000-0000-4000-8000-000000000000"
DATASET = "sim-00000000-0000-4000-8000-000000000000"
DEAD = "http://127.0.0.1:9/api"


def events_of(store: str, count: int = 1) -> list[dict[str, Any]]:
    """Return our events about a store, oldest first, as soon as there are so many; the server keeps them in a while."""
    of_store = {"labels": {"difsims.store": [store]}}
    body = {"filter": {"event": {"prefix": ["difsims."]}, "resource": of_store, "order": "ASC"}, "limit": 50}
    deadline = time.monotonic() + 60
    while True:
        with get_client(sync_client=True) as client:
            found = client.request("POST", "/events/filter", json=body).json()["events"]
        if len(found) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.3)


@flow(persist_result=False)
def telling(store: str, labels: dict[str, str]) -> str:
    announce("dataset.complete", "sim-1", store, labels=labels, payload={"patterns": 300})
    return str(flow_run.id)


def test_an_event_arrives_with_its_labels_and_its_run(store):
    run = telling(store, {"difsims.url": f"{store}/simulations/sim-1.zarr"})
    (event,) = events_of(store)
    assert event["event"] == "difsims.dataset.complete"
    assert event["resource"] == {
        "prefect.resource.id": "difsims.dataset.sim-1",
        "prefect.resource.name": "sim-1",
        "difsims.id": "sim-1",
        "difsims.store": store,
        "difsims.url": f"{store}/simulations/sim-1.zarr",
    }
    assert event["payload"] == {"patterns": 300}
    assert [item["prefect.resource.id"] for item in event["related"]] == [f"prefect.flow-run.{run}"]


def test_an_event_is_there_although_the_process_ends_at_once(store):
    code = (
        "import os, sys\nfrom flows.ui.events import announce\n"
        "announce('experiment.found', 'roi_1', sys.argv[1])\nos._exit(7)"
    )
    environment = {**os.environ, "PREFECT_API_URL": PREFECT_API_URL.value()}
    done = subprocess.run([sys.executable, "-c", code, store], env=environment, check=False, timeout=180)
    assert done.returncode == 7
    assert [event["resource"]["difsims.id"] for event in events_of(store)] == ["roi_1"]


def test_without_an_api_nothing_is_emitted(store, monkeypatch):
    def never(**_options):
        raise AssertionError("a client was asked for")

    monkeypatch.setattr("prefect.client.orchestration.get_client", never)
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        announce("model.trained", MODEL, store)


def test_what_cannot_be_delivered_is_a_warning(store, monkeypatch):
    records: list[logging.LogRecord] = []

    class Collector(logging.Handler):
        def emit(self, record):
            records.append(record)

    @flow(persist_result=False)
    def unlucky() -> str:
        with monkeypatch.context() as patched:
            patched.setattr("prefect.client.orchestration.get_client", lambda **_: SyncPrefectClient(DEAD))
            announce("model.trained", MODEL, store)
        announce("model.trained", "", store, labels={"difsims.model": object()})  # type: ignore[dict-item]
        return "done"

    collector = Collector(logging.WARNING)
    logging.getLogger("prefect.flow_runs").addHandler(collector)
    try:
        assert unlucky() == "done"
    finally:
        logging.getLogger("prefect.flow_runs").removeHandler(collector)
    told = [record.getMessage() for record in records]
    assert len(told) == 2
    assert "Connect" in told[0]
    assert all("was not delivered" in line and "started by hand" in line for line in told)
    assert latest_run("unlucky").state_name == "Completed"


def test_a_trained_model_is_announced_and_a_reused_one_is_not(store, monkeypatch):
    known: list[str] = []
    monkeypatch.setattr(train_command, "find_trained", lambda *_: known[0] if known else None)
    monkeypatch.setattr(train_command, "train_model", lambda *_: MODEL)
    monkeypatch.setattr(train_command, "load_bundle", lambda *_: SimpleNamespace(metrics={"accuracy": 0.9}))
    monkeypatch.setattr(train_command, "show_model", lambda *_: None)
    flows_train.train([DATASET], store=store)
    known.append(MODEL)
    flows_train.train([DATASET], store=store)
    telling(store, {})
    trained, last = events_of(store, 2)
    assert trained["event"] == "difsims.model.trained"
    assert trained["resource"]["difsims.model"] == MODEL
    assert trained["payload"] == {"simulations": [DATASET]}
    assert last["event"] == "difsims.dataset.complete"


def fake_predictions(monkeypatch: pytest.MonkeyPatch, store: str) -> set[str]:
    """Let the flow believe in predictions; the names returned are reused."""
    reused: set[str] = set()

    def predict_one(_root, model, url):
        name = url.rsplit("/", 1)[-1].removesuffix(".npz")
        where = open_store(store).url(layout.prediction(model, name))
        return PredictionResult(model, where, name, name in reused, 0, 1)

    monkeypatch.setattr(predict_command, "predict_one", predict_one)
    return reused


def test_fresh_predictions_are_announced_by_their_url_or_their_folder(store, monkeypatch, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.npz").touch()
    reused, objects = fake_predictions(monkeypatch, store), open_store(store)
    for name in ("a", "b"):
        objects.write_record(layout.evaluation(MODEL, name), {"a": 1})
    for names in ({"a", "b"}, {"b"}, set()):
        reused.clear()
        reused.update({"a", "b"} - names)
        flows_predict.predict(MODEL, [str(tmp_path)], store)
    telling(store, {})
    both, one, last = events_of(store, 3)
    folder = f"{store}/predictions/{MODEL}/"
    assert [event["event"] for event in (both, one)] == ["difsims.predictions.written"] * 2
    assert [event["resource"]["difsims.url"] for event in (both, one)] == [
        folder, f"{folder}b_probability_pred.npz",
    ]  # fmt: skip
    assert both["resource"]["difsims.model"] == MODEL
    assert both["payload"] == {"predictions": 2, "experiments": ["a", "b"], "also_read": [tmp_path.as_uri()]}
    assert last["event"] == "difsims.dataset.complete", "reused predictions are no news"


def test_predictions_that_were_never_announced_are_announced_by_the_next_run(store, monkeypatch, tmp_path):
    """The run before was killed between writing them and announcing them."""
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.npz").touch()
    reused = fake_predictions(monkeypatch, store)
    reused.update({"a", "b", "c"})
    open_store(store).write_record(layout.evaluation(MODEL, "a"), {"a": 1})
    flows_predict.predict(MODEL, [str(tmp_path)], store)
    reused.clear()
    original = predict_command.predict_one

    def failing(root, model, url):
        if url.endswith("b.npz"):
            raise StoreError("the store is away")
        return original(root, model, url)

    monkeypatch.setattr(predict_command, "predict_one", failing)
    with pytest.raises(PartlyFailedError, match="the store is away"):
        flows_predict.predict(MODEL, [str(tmp_path)], store)
    found = events_of(store, 2)
    assert [event["payload"]["experiments"] for event in found] == [["b", "c"], ["a", "c"]]


def test_fresh_scores_are_announced_once_a_model(store, monkeypatch, tmp_path):
    def evaluate_one(_root, url, _sources):
        name = url.rsplit("/", 1)[-1].removesuffix(".npz")
        return evaluated_map(name, MODEL, f"{store}/evaluations/{MODEL}/{name}.json", reused=name == "old")

    monkeypatch.setattr(evaluate_command, "evaluate_one", evaluate_one)
    monkeypatch.setattr(evaluate_command, "show_evaluation", lambda *_, **__: None)
    for name in ("a", "b", "old"):
        (tmp_path / f"{name}.npz").touch()
    rows = flows_evaluate.evaluate([str(tmp_path)], store=store)
    assert [row.name for row in rows] == ["a", "b", "old"]
    flows_evaluate.evaluate([str(tmp_path / "old.npz")], store=store)
    telling(store, {})
    scored, last = events_of(store, 2)
    assert scored["event"] == "difsims.evaluations.written"
    assert scored["resource"]["difsims.url"] == f"{store}/evaluations/{MODEL}/"
    assert json.dumps(scored["payload"], sort_keys=True) == '{"evaluations": 2, "experiments": ["a", "b"]}'
    assert last["event"] == "difsims.dataset.complete"
