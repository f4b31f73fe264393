"""The simulate flow: a second run does no work, failures of the store are tried again, nothing leaks into results."""

from __future__ import annotations

from pathlib import Path

import pytest

from difsims_core.dataset import build
from difsims_core.dataset.open import open_simulation
from difsims_core.dataset.simulate import Simulator
from difsims_core.errors import StoreAccessError, StoreError
from difsims_core.storage.objects import open_store
from flows import tasks
from flows.simulate import simulate
from tests.flows.conftest import read_record, record_files
from tests.flows.prefect_records import artifacts_of, latest_run, runs_tagged


@pytest.fixture
def simulated_blocks(monkeypatch):
    """Count the blocks that are really simulated."""
    calls: list[tuple[int, int]] = []
    original = Simulator.block

    def counted(self, start, stop, threads=None):
        calls.append((start, stop))
        return original(self, start, stop, threads)

    monkeypatch.setattr(Simulator, "block", counted)
    return calls


def test_a_second_run_simulates_nothing_and_says_so(store, tiny, simulated_blocks):
    first = simulate(tiny, store)
    assert simulated_blocks == [(0, 600)]
    run = latest_run("simulate")
    assert run.name == "simulate 600 × 3 phases seed 3"
    assert first in run.tags

    assert simulate(tiny, store) == first
    assert simulated_blocks == [(0, 600)]
    again = latest_run("simulate")
    assert again.state_name == "Reused"
    assert again.name.endswith("(reused)")
    assert first in again.state.message
    assert {item.id for item in runs_tagged(first)} == {run.id, again.id}


def test_artifacts_show_the_dataset_and_its_profiles(store, tiny):
    simulation = simulate(tiny, store)
    found = artifacts_of(latest_run("simulate"))
    assert {"dataset", "dataset-link", "sample-profiles", "progress"} <= set(found)
    assert simulation in found["dataset"].data
    assert found["progress"].data == 100.0
    figure = Path(store.removeprefix("file://")) / "reports" / simulation / "sample-profiles.png"
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert str(figure) in found["sample-profiles"].data


def test_results_are_json_without_secrets(store, tiny, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "never-to-be-seen")
    simulate(tiny, store)
    records = record_files(store)
    assert len(records) == 1
    record = read_record(records[0])
    assert record["metadata"]["serializer"]["type"] == "json"
    assert "never-to-be-seen" not in records[0].read_text()
    assert '"patterns": 600' in record["result"]


def test_a_lost_dataset_is_not_taken_from_the_cache(store, tiny, simulated_blocks):
    simulation = simulate(tiny, store)
    place = open_store(store)
    folder = f"simulations/{simulation}.zarr"
    place.delete_tree(folder)
    assert record_files(store), "the cached result of the group is still there"

    assert simulate(tiny, store) == simulation
    assert len(simulated_blocks) == 2
    assert open_simulation(simulation, place).n_patterns == 600


def test_an_interrupted_run_keeps_its_blocks(store, tiny, simulated_blocks):
    spec = tiny.model_copy(update={"n_patterns": 20_000})
    place = open_store(store)
    plan = build.begin(place, spec, block_rows=8192)
    build.write_block(place, plan, Simulator.prepare(spec), 1)
    assert simulate(spec, store) == plan.id
    assert simulated_blocks == [(8192, 16384), (0, 8192), (16384, 20_000)]


def _failing(monkeypatch, errors: list[Exception]):
    original, calls = build.write_group, []

    def write_group(*args, **kwargs):
        calls.append(args)
        if errors:
            raise errors.pop(0)
        return original(*args, **kwargs)

    monkeypatch.setattr(build, "write_group", write_group)
    return calls


def test_a_temporary_failure_of_the_store_is_tried_again(store, tiny, monkeypatch):
    calls = _failing(monkeypatch, [StoreError("the store does not answer; try again")])
    simulation = simulate(tiny, store)
    assert len(calls) == 2
    assert open_simulation(simulation, open_store(store)).n_patterns == 600


def test_refused_credentials_are_not_tried_again(store, tiny, monkeypatch):
    calls = _failing(monkeypatch, [StoreAccessError("refused")] * 5)
    with pytest.raises(StoreAccessError, match="refused"):
        simulate(tiny, store)
    assert len(calls) == 1
    assert latest_run("simulate").state.is_failed()


def test_the_cache_key_names_everything_a_group_depends_on(store, tiny):
    plan = build.begin(open_store(store), tiny)
    parameters = {"store": store, "spec": tiny, "plan": plan, "first": 0, "last": 3}
    keys = {
        tasks.group_key(None, parameters | change) for change in ({}, {"store": store + "2"}, {"last": 4}, {"first": 1})
    }
    assert len(keys) == 4
    assert tasks.group_key(None, parameters) == tasks.group_key(None, dict(parameters))
