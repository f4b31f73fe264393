"""An S3 server that fails one request in ten and answers one in twenty late: runs complete, and the bytes are right."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import pytest
from prefect.client.orchestration import get_client

from difsims_core.errors import ChampionChangedError
from difsims_core.models.registry import promote, read_registry
from difsims_core.storage import layout
from difsims_core.storage.s3 import retries
from flows.simulate import simulate
from tests.fault_proxy import Chosen, Faults
from tests.faults.datasets import Dataset, assert_same, build_blocks
from tests.flows.prefect_records import latest_run

pytestmark = pytest.mark.service

BAD_DAY = Faults(failing=0.10, delayed=0.05, delay_s=2.0, seed=7)
FIRST, SECOND = (f"cnn-00000000-0000-4000-8000-{number:012d}" for number in (1, 2))
LOST = Chosen("PutObject", "registry.json", forwarded=True, times=1)


@pytest.mark.slow
def test_a_run_completes_with_the_right_bytes_and_tells_of_it(proxy, store, spec, undisturbed, caplog, monkeypatch):
    monkeypatch.setattr(retries, "_retries", 0)  # the process counts, and says so at 1, 2, 4, 8, …
    plan = build_blocks(store, spec)
    proxy.faults = BAD_DAY
    with caplog.at_level(logging.WARNING, logger="difsims_core.storage.s3.objects"):
        assert simulate(spec, store.root) == plan.id
    proxy.faults = Faults()
    assert proxy.counts["failed"] > 0
    assert proxy.counts["lost"] > 0
    assert proxy.counts["delayed"] > 0
    assert_same(Dataset(store, plan.id), undisturbed)
    run = latest_run("simulate")
    assert run.state.is_completed()
    story = logged(run)
    assert any(record.message in story for record in caplog.records), "what it had to ask again for"


def logged(run) -> str:
    """Return the log of a run that the server keeps; it arrives a moment later."""
    deadline = time.monotonic() + 30
    while True:
        with get_client(sync_client=True) as client:
            # The client's own read_logs sends nulls that this server refuses (Prefect 3.8.8).
            body = {"logs": {"flow_run_id": {"any_": [str(run.id)]}}, "limit": 200}
            text = "\n".join(item["message"] for item in client.request("POST", "/logs/filter", json=body).json())
        if "is complete" in text or time.monotonic() > deadline:
            return text
        time.sleep(0.3)


def test_lost_answers_of_records_and_failing_shards(proxy, store, spec, monkeypatch):
    """The id and the completion record are ours though the answers were lost; no thread keeps its retries to itself."""
    monkeypatch.setattr(retries, "_retries", 0)
    proxy.faults = Faults(
        chosen=[
            Chosen("PutObject", "by-fingerprint", forwarded=True, times=1),
            Chosen("PutObject", "complete.json", forwarded=True, times=1),
            Chosen("PutObject", "/1d/x_px/c/", 503, "SlowDown", times=1),
        ]
    )
    simulation = simulate(spec, store.root)
    assert (proxy.counts["lost"], proxy.counts["failed"]) == (2, 1)
    assert len(store.list("simulations/by-fingerprint")) == 1
    assert store.folders("simulations") == sorted(["by-fingerprint", f"{simulation}.zarr"])
    assert store.exists(layout.completion(simulation))
    assert "S3 answered 503 to PutObject; trying again (2 retries so far)" in logged(latest_run("simulate"))


@pytest.fixture
def models(store):
    """Models as far as the registry looks at them."""
    for model in (FIRST, SECOND):
        store.write_record(layout.model_record(model), {"a": 1})


@pytest.mark.parametrize(("status", "code"), [(500, "InternalError"), (503, "SlowDown")])
def test_we_won_though_the_answer_was_lost(proxy, store, models, status, code):
    """The repeated request finds our own bytes in its way, and that is no defeat."""
    registry = read_registry(store)
    for model in (FIRST, SECOND):
        proxy.faults = Faults(chosen=[replace(LOST, status=status, code=code)])
        registry = promote(store, registry, model, why="better", scores={}, by="hand")
    assert proxy.counts["lost"] == 2
    held = read_registry(store)
    assert held.champion.model == SECOND
    assert [item.model for item in held.former] == [FIRST]


def test_we_lost_though_the_answer_was_lost(proxy, store, models):
    """Another process was faster: a lost answer must not be taken for a victory."""
    read = read_registry(store)
    promote(store, read, FIRST, why="faster", scores={}, by="hand")
    proxy.faults = Faults(chosen=[replace(LOST)])
    with pytest.raises(ChampionChangedError):
        promote(store, read, SECOND, why="slower", scores={}, by="hand")
    assert proxy.counts["lost"] == 1
    assert read_registry(store).champion.model == FIRST


def test_lost_answers_of_new_objects(proxy, store):
    """``replace`` without a version, and ``create``: exactly one of the writers is told that it won."""
    proxy.faults = Faults(chosen=[Chosen("PutObject", "/new", forwarded=True, times=1)])
    assert store.replace("new", b"1", None)
    assert not store.replace("new", b"1", None)
    proxy.faults = Faults(chosen=[Chosen("PutObject", "/created", forwarded=True, times=1)])
    assert store.create("created", b"1")
    assert not store.create("created", b"1")
