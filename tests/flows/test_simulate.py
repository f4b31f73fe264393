"""The simulate flow: a second run does no work, failures of the store are tried again, nothing leaks into results."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from prefect.client.schemas.objects import StateType

from difsims_core.config.documents import make_spec
from difsims_core.dataset import build
from difsims_core.dataset.open import open_simulation
from difsims_core.errors import StoreAccessError, StoreError
from difsims_core.simulation.simulator import Simulator
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from flows.execution.concurrency_limit import slot_folder
from flows.simulate import simulate
from flows.ui.progress import Stopped
from tests.flows.prefect_records import artifacts_of, latest_run, runs_tagged, task_runs_of


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


def test_libraries_are_a_task_of_their_own_and_are_kept(store, tiny):
    changes = {
        "orientations": {"kind": "library", "resolution_deg": 3, "thicknesses": 2},
        "diffraction": {"thickness_angstrom": {"uniform": [50, 150]}},
    }
    spec = make_spec({**tiny.to_document(), **changes})
    first = simulate(spec, store)
    assert "make libraries" in {task.name.rpartition("-")[0] for task in task_runs_of(latest_run("simulate"))}
    place = open_store(store)
    libraries = place.list(layout.LIBRARIES)
    other = simulate(spec.model_copy(update={"seed": 4}), store)
    assert other != first
    assert place.list(layout.LIBRARIES) == libraries
    assert np.isin(np.unique(open_simulation(first, place)["draws/thickness_angstrom"][...]), [50, 150]).all()


def test_a_lost_dataset_is_simulated_again(store, tiny, simulated_blocks):
    simulation = simulate(tiny, store)
    place = open_store(store)
    folder = f"simulations/{simulation}.zarr"
    place.delete_tree(folder)
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


def test_when_one_group_fails_for_good_the_others_end(store, tiny, monkeypatch):
    monkeypatch.setenv("DIFSIMS_GROUPS_AT_ONCE", "2")
    monkeypatch.setenv("DIFSIMS_BLOCKS_PER_GROUP", "1")
    second_works, ends = threading.Event(), []

    def write_group(_store, _spec, _id, blocks, progress):
        if blocks.start == 0:
            second_works.wait(60)
            raise StoreAccessError("refused")
        second_works.set()
        try:
            while True:
                progress(0)
                time.sleep(0.01)
        except Stopped as error:
            ends.append(str(error))
            raise

    monkeypatch.setattr(build, "write_group", write_group)
    spec = tiny.model_copy(update={"n_patterns": 5000})
    build.begin(open_store(store), spec, block_rows=1024)
    with pytest.raises(StoreAccessError, match="refused"):
        simulate(spec, store)
    assert [end.split(";")[0] for end in ends] == ["another group of this dataset failed"]


def test_only_so_many_groups_are_at_work_at_once(store, tiny, monkeypatch):
    monkeypatch.setenv("DIFSIMS_GROUPS_AT_ONCE", "3")
    monkeypatch.setenv("DIFSIMS_BLOCKS_PER_GROUP", "1")
    original, lock, at_work, most = build.write_group, threading.Lock(), [0], [0]

    def write_group(*args, **kwargs):
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        time.sleep(0.2)
        try:
            return original(*args, **kwargs)
        finally:
            with lock:
                at_work[0] -= 1

    monkeypatch.setattr(build, "write_group", write_group)
    spec = tiny.model_copy(update={"n_patterns": 8 * 1024})
    build.begin(open_store(store), spec, block_rows=1024)
    simulate(spec, store)
    assert most == [3]


def test_a_finished_dataset_is_announced_once(store, tiny, monkeypatch):
    told = []
    monkeypatch.setattr("flows.commands.simulate.announce", lambda *args, **kwargs: told.append((args, kwargs)))
    simulation = simulate(tiny, store)
    simulate(tiny, store)
    ((arguments, named),) = told
    assert arguments == ("dataset.complete", simulation, store)
    assert named["labels"]["difsims.patterns"] == "600"


def test_a_second_simulation_waits_for_the_slot_of_the_machine(store, tiny, monkeypatch, tmp_path):
    monkeypatch.setenv("DIFSIMS_SIMULATIONS_A_MACHINE", "1")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    told = []

    class Listener:
        def on_message(self, text):
            told.append(text)
            if text.startswith("waiting"):
                held.release()

        def on_progress(self, work): ...

        def on_end(self, work): ...

    monkeypatch.setattr("flows.ui.progress.listeners", [Listener()])
    folder = slot_folder()
    held = FileLock(folder / "slot-0.lock", thread_local=False)
    held.acquire()
    simulate(tiny, store)
    assert [text.split(":")[0] for text in told[:2]] == ["waiting", "another simulation has ended, this one begins"]


def test_groups_that_are_whole_are_shown_as_cached_and_nothing_is_done(store, tiny, simulated_blocks, monkeypatch):
    simulation = simulate(tiny, store)
    place = open_store(store)
    place.delete(layout.completion(simulation))
    monkeypatch.setattr(build, "write_group", lambda *_, **__: pytest.fail("a whole group was taken up again"))
    assert simulate(tiny, store) == simulation
    assert len(simulated_blocks) == 1
    (group,) = [run for run in task_runs_of(latest_run("simulate")) if run.name == "blocks 0 to 0"]
    assert (group.state_name, group.state_type) == ("Cached", StateType.COMPLETED)
    assert open_simulation(simulation, place).n_patterns == 600


def test_a_resumed_run_does_only_the_rest_and_a_second_one_nothing(store, tiny, simulated_blocks, monkeypatch):
    monkeypatch.setenv("DIFSIMS_BLOCKS_PER_GROUP", "1")
    spec = tiny.model_copy(update={"n_patterns": 3 * 1024})
    place = open_store(store)
    plan = build.begin(place, spec, block_rows=1024)
    for block in (0, 2):
        build.write_block(place, plan, Simulator.prepare(spec), block)
    del simulated_blocks[:]
    assert simulate(spec, store) == plan.id
    assert simulated_blocks == [(1024, 2048)]
    states = {run.name: run.state_name for run in task_runs_of(latest_run("simulate"))}
    assert [states[f"blocks {n} to {n}"] for n in range(3)] == ["Cached", "Completed", "Cached"]

    before = _objects_of(store, layout.SIMULATIONS)
    assert simulate(spec, store) == plan.id
    assert _objects_of(store, layout.SIMULATIONS) == before
    assert simulated_blocks == [(1024, 2048)]
    assert not [run.name for run in task_runs_of(latest_run("simulate")) if run.name.startswith("blocks")]


def _objects_of(store: str, folder: str) -> dict[str, tuple[int, object]]:
    return {info.key: (info.size, info.modified) for info in open_store(store).describe(folder)}
