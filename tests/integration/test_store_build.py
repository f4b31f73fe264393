"""Blocks are written once, whole, by anyone; what is half done is never taken for whole."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from difsims_core.dataset import write
from difsims_core.dataset.build import begin, finish, read_plan, write_block, write_group
from difsims_core.dataset.open import open_simulation
from difsims_core.dataset.receipts import read_receipt
from difsims_core.errors import IncompleteDatasetError, InputError, StoreAccessError, StoreError, StoreFullError
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore, open_store
from tests.doubles import fake

ROWS = 1024


def _build(store, spec, simulator=None):
    simulator = simulator or fake(spec)
    plan = begin(store, spec, ROWS, simulator)
    write_group(store.root, spec, plan.id, range(plan.n_blocks), simulator=simulator)
    return plan, finish(store, plan)


def test_rows_come_back_as_they_were_simulated(store, small_spec):
    plan, record = _build(store, small_spec)
    sim, expected = open_simulation(plan.id, store), fake(small_spec).block(0, 2500)
    for path, values in (("1d/x_px", expected.x_px), ("1d/x_all", expected.x_all), ("1d/y_px", expected.y[:, None])):
        assert sim[path].dtype == values.dtype
        np.testing.assert_array_equal(sim[path][:], values)
    for name, values in expected.draws.items():
        assert sim[f"draws/{name}"].dtype == values.dtype
        np.testing.assert_array_equal(sim[f"draws/{name}"][:], values)
    assert sim["1d/x_px"].shards == (ROWS, 147)
    assert record.class_counts == {"0": 834, "1": 833, "2": 833}
    assert record.stored_bytes > 0


def test_asking_again_returns_the_same_dataset_and_computes_nothing(store, small_spec):
    plan, record = _build(store, small_spec)
    simulator = fake(small_spec)
    again = begin(store, small_spec, 4096, simulator)
    assert again.complete
    assert (again.id, again.block_rows) == (plan.id, ROWS)
    summary = write_group(store.root, small_spec, plan.id, range(3), simulator=simulator)
    assert (summary.written, summary.skipped, simulator.calls) == (0, 3, [])
    assert finish(store, again) == record


def test_a_retried_block_is_no_work_and_a_lost_receipt_an_identical_overwrite(store, small_spec):
    simulator = fake(small_spec)
    plan = begin(store, small_spec, ROWS, simulator)
    first = write_block(store, plan, simulator, 1)
    key = f"{layout.simulation(plan.id)}/1d/x_px/c/1/0"
    written = store.read(key)
    assert write_block(store, plan, simulator, 1) == first
    assert simulator.calls == [(1024, 2048)]
    store.delete(layout.receipt(plan.id, 1))
    assert write_block(store, plan, simulator, 1) == first
    assert store.read(key) == written
    assert len(simulator.calls) == 2


@pytest.mark.parametrize("damage", [b"", b'{"block": 1, "start"', b"[]", b'{"block": 1}', b"null"])
def test_a_damaged_receipt_is_no_receipt(tmp_path, small_spec, damage):
    store, simulator = open_store(tmp_path), fake(small_spec)
    plan = begin(store, small_spec, ROWS, simulator)
    receipt = write_block(store, plan, simulator, 1)
    store.write(layout.receipt(plan.id, 1), damage)
    assert read_receipt(store, plan, 1) is None
    assert write_block(store, plan, simulator, 1) == receipt


def test_a_crash_between_rows_and_receipt_leaves_the_block_undone(store, small_spec, monkeypatch):
    simulator = fake(small_spec)
    plan = begin(store, small_spec, ROWS, simulator)
    with monkeypatch.context() as broken:
        broken.setattr(write, "write_receipt", _raises(StoreError("gone")))
        with pytest.raises(StoreError, match="gone"):
            write_block(store, plan, simulator, 0)
    assert store.exists(f"{layout.simulation(plan.id)}/1d/x_px/c/0/0")
    assert read_receipt(store, plan, 0) is None
    for block in (1, 2):
        write_block(store, plan, simulator, block)
    with pytest.raises(IncompleteDatasetError, match=r"1 of 3 .*\(0\)"):
        finish(store, plan)
    with pytest.raises(IncompleteDatasetError, match="incomplete"):
        open_simulation(plan.id, store)
    write_block(store, plan, simulator, 0)
    assert finish(store, plan).content_sha256 == _build(open_store(_other(store)), small_spec)[1].content_sha256


def test_what_a_damaged_attempt_left_in_the_last_block_is_overwritten(store, small_spec):
    simulator = fake(small_spec)
    plan = begin(store, small_spec, ROWS, simulator)
    store.write(f"{layout.simulation(plan.id)}/1d/x_px/c/2/0", b"half a shard")
    write_group(store.root, small_spec, plan.id, range(3), simulator=simulator)
    finish(store, plan)
    np.testing.assert_array_equal(open_simulation(plan.id, store)["1d/x_px"][2048:], simulator.block(2048, 2500).x_px)


def test_of_processes_that_begin_the_same_document_all_get_one_id(store, small_spec):
    barrier = threading.Barrier(6)

    def one(_):
        barrier.wait()
        return begin(store, small_spec, ROWS, fake(small_spec))

    with ThreadPoolExecutor(6) as pool:
        plans = list(pool.map(one, range(6)))
    assert len({plan.id for plan in plans}) == 1
    assert store.folders(layout.SIMULATIONS) == ["by-fingerprint", f"{plans[0].id}.zarr"]


def test_two_writers_of_the_same_blocks_make_one_dataset(store, small_spec):
    plan = begin(store, small_spec, ROWS, fake(small_spec))
    with ThreadPoolExecutor(2) as pool:
        both = [
            pool.submit(write_group, store.root, small_spec, plan.id, range(3), simulator=fake(small_spec))
            for _ in "ab"
        ]
        assert [task.result().id for task in both] == [plan.id, plan.id]
    content = finish(store, plan).content_sha256
    assert content == _build(open_store(_other(store)), small_spec)[1].content_sha256


def test_the_content_does_not_depend_on_who_wrote_what_when(store, small_spec):
    simulator = fake(small_spec)
    plan = begin(store, small_spec, ROWS, simulator)
    for block in (2, 0, 1):
        write_block(store, read_plan(store, plan.id), simulator, block)
    content = finish(store, plan).content_sha256
    assert content == _build(open_store(_other(store)), small_spec)[1].content_sha256


def test_progress_counts_patterns_and_starts_with_what_is_there(store, small_spec):
    simulator, seen = fake(small_spec), []
    plan = begin(store, small_spec, ROWS, simulator)
    write_block(store, plan, simulator, 2)
    write_group(store.root, small_spec, plan.id, range(3), seen.append, simulator=simulator)
    assert seen == [452, 1476, 2500]


def test_another_document_does_not_write_into_a_dataset(store, small_spec):
    plan = begin(store, small_spec, ROWS, fake(small_spec))
    other = small_spec.model_copy(update={"seed": 4})
    with pytest.raises(InputError, match=plan.id):
        write_group(store.root, other, plan.id, range(3), simulator=fake(other))


def test_an_index_left_behind_by_a_deleted_dataset_is_used_again(store, small_spec):
    plan, record = _build(store, small_spec)
    store.delete_tree(layout.simulation(plan.id))
    again, new = _build(store, small_spec)
    assert again.id == plan.id
    assert new.content_sha256 == record.content_sha256


def test_a_template_that_was_cut_short_is_completed(store, small_spec, monkeypatch):
    simulator, written = fake(small_spec), []
    write = ObjectStore.write

    def stops(self, key, data):
        written.append(key)
        if len(written) == 5:
            raise StoreError("cut")
        write(self, key, data)

    with monkeypatch.context() as broken:
        broken.setattr(ObjectStore, "write", stops)
        with pytest.raises(StoreError, match="cut"):
            begin(store, small_spec, ROWS, simulator)
    plan, _ = _build(store, small_spec, simulator)
    np.testing.assert_array_equal(open_simulation(plan.id, store).q_px, simulator.q_px)


@pytest.mark.parametrize("failing_block", [0, 1, 2])
def test_a_simulation_that_fails_ends_the_group_and_keeps_what_is_written(tmp_path, small_spec, failing_block):
    store = open_store(tmp_path)

    def fail(start, stop):
        if start == failing_block * ROWS:
            raise ZeroDivisionError

    plan = begin(store, small_spec, ROWS, fake(small_spec, fail))
    with pytest.raises(ZeroDivisionError):
        write_group(store.root, small_spec, plan.id, range(3), simulator=fake(small_spec, fail))
    assert [b for b in range(3) if read_receipt(store, plan, b)] == list(range(failing_block))


def test_a_disk_that_fills_up_keeps_finished_blocks_and_nothing_half(tmp_path, small_spec, monkeypatch):
    store, simulator = open_store(tmp_path), fake(small_spec)
    plan = begin(store, small_spec, ROWS, simulator)
    write_block(store, plan, simulator, 0)
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", _raises(OSError(errno.ENOSPC, "No space left on device")))
        with pytest.raises(StoreFullError):
            write_group(store.root, small_spec, plan.id, range(3), simulator=simulator)
    assert [b for b in range(3) if read_receipt(store, plan, b)] == [0]
    with pytest.raises(IncompleteDatasetError):
        finish(store, plan)
    write_group(store.root, small_spec, plan.id, range(3), simulator=simulator)
    assert finish(store, plan).n_blocks == 3


def test_a_writer_that_may_not_write_fails_as_such(tmp_path, small_spec, monkeypatch):
    store, simulator = open_store(tmp_path), fake(small_spec)
    plan = begin(store, small_spec, ROWS, simulator)
    monkeypatch.setattr(os, "fsync", _raises(PermissionError(errno.EACCES, "no")))
    with pytest.raises(StoreAccessError):
        write_group(store.root, small_spec, plan.id, range(3), simulator=simulator)


KILLED = """
import sys, time
from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.build import begin, write_group
from difsims_core.storage.objects import open_store
from tests.doubles import fake
spec = SimulationSpec(n_patterns=2500, seed=3)
simulator = fake(spec, lambda start, stop: time.sleep(0 if start == 0 else 30))
plan = begin(open_store(sys.argv[1]), spec, 1024, simulator)
print(plan.id, flush=True)
write_group(sys.argv[1], spec, plan.id, range(3), simulator=simulator)
"""


@pytest.mark.slow
def test_a_killed_writer_is_resumed_where_it_stopped(store, small_spec):
    child = subprocess.Popen([sys.executable, "-c", KILLED, store.root], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    simulation_id = child.stdout.readline().strip()
    deadline = time.monotonic() + 60
    while not store.exists(layout.receipt(simulation_id, 0)):
        assert time.monotonic() < deadline, "the first block was never written"
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    with pytest.raises(IncompleteDatasetError):
        open_simulation(simulation_id, store)
    simulator = fake(small_spec)
    plan, _ = _build(store, small_spec, simulator)
    assert plan.id == simulation_id
    assert simulator.calls == [(1024, 2048), (2048, 2500)]
    np.testing.assert_array_equal(open_simulation(plan.id, store)["1d/x_px"][:], fake(small_spec).block(0, 2500).x_px)


def test_without_full_profiles_none_are_stored(store, small_spec):
    spec = small_spec.model_copy(update={"output": small_spec.output.model_copy(update={"x_all": False})})
    plan, _ = _build(store, spec)
    sim = open_simulation(plan.id, store)
    assert "1d/x_all" not in sim
    with pytest.raises(InputError, match="1d/x_px"):
        sim["1d/x_all"]


def _raises(error):
    def call(*args, **kwargs):
        raise error

    return call


def _other(store):
    return f"{store.root}-other"
