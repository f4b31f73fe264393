"""The library of spots: lists of unequal length, written in blocks by anyone in any order."""

import dataclasses
import errno
import os
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import pytest
import xarray
from hypothesis import given, settings
from hypothesis import strategies as st

from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset import peaks as peaks_module
from difsims_core.dataset.build import begin, finish, write_block, write_group
from difsims_core.dataset.open import open_simulation
from difsims_core.dataset.peaks import peak_arrays
from difsims_core.dataset.verify import verify
from difsims_core.errors import CorruptDataError, IncompleteDatasetError, InputError, StoreFullError
from difsims_core.simulation.block import Peaks
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from tests.doubles import fake
from tests.effort import examples

ROWS = 1024
SPEC = SimulationSpec(n_patterns=2500, seed=3, output={"x_all": False, "peaks": True})


def _fake(most_peaks=6, before_block=None, spec=SPEC):
    simulator = fake(spec, before_block)
    simulator.most_peaks = most_peaks
    return simulator


def _build(store, most_peaks=6, rows=ROWS, order=None, spec=SPEC):
    simulator = _fake(most_peaks, spec=spec)
    plan = begin(store, spec, rows, simulator)
    for block in order or range(plan.n_blocks):
        write_block(store, plan, simulator, block)
    finish(store, plan)
    return plan


def _same(found, expected):
    for name in ("start", "hkl", "g", "intensity"):
        assert getattr(found, name).dtype == getattr(expected, name).dtype
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_spots_come_back(store):
    plan = _build(store)
    sim, expected = open_simulation(plan.id, store), _fake().block(0, 2500).peaks
    _same(sim.peaks(), expected)
    start, count = sim["peaks/start"][:], sim["peaks/count"][:]
    for i in (0, 1023, 1024, 2499):
        rows = slice(start[i], start[i] + count[i])
        np.testing.assert_array_equal(sim["peaks/hkl"][rows], expected.hkl[expected.start[i] : expected.start[i + 1]])
    assert (start.dtype, count.dtype) == (np.int64, np.uint16)
    assert sim["peaks/g"].attrs["units"] == "1/angstrom"
    assert verify(store, plan.id, 3, simulator=_fake()).ok


@settings(max_examples=examples(12), deadline=None)
@given(
    data=st.data(), n_patterns=st.integers(1, 4500), chunks=st.integers(1, 4), most_peaks=st.sampled_from([0, 3, 150])
)
def test_any_blocks_in_any_order_give_the_same_spots(data, n_patterns, chunks, most_peaks):
    spec = SPEC.model_copy(update={"n_patterns": n_patterns})
    blocks = range(-(-n_patterns // (chunks * ROWS)))
    order = data.draw(st.permutations(blocks))
    start = data.draw(st.integers(0, n_patterns - 1))
    stop = data.draw(st.integers(start + 1, n_patterns))
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        plan = _build(store, most_peaks, chunks * ROWS, order, spec)
        sim = open_simulation(plan.id, store)
        _same(sim.peaks(), _fake(most_peaks, spec=spec).block(0, n_patterns).peaks)
        _same(sim.peaks(start, stop), _fake(most_peaks, spec=spec).block(start, stop).peaks)


def test_room_that_is_not_used_takes_no_bytes(store):
    plan = _build(store, most_peaks=1000)
    sim = open_simulation(plan.id, store)
    room, used = plan.spot_rows, _fake(1000).block(0, ROWS).peaks.start[-1]
    assert room == 16 * 2**16
    pieces = -(-used // sim["peaks/hkl"].chunks[0])
    assert pieces < 9
    index = np.frombuffer(store.read(f"{layout.simulation(plan.id)}/peaks/hkl/c/0/0", -16 * 16 - 4)[:-4], "<u8")
    assert (index.reshape(16, 2)[:, 0] != 2**64 - 1).sum() == pieces
    assert (sim["peaks/hkl"][room - 1] == np.iinfo(np.int16).min).all()  # in a piece that was never written


def test_xarray_opens_them(store):
    plan = _build(store)
    sim = open_simulation(plan.id, store)
    with xarray.open_zarr(sim.group.store, group="peaks", chunks=None) as data:
        assert data["hkl"].dims == ("spot", "miller_index")
        assert dict(data.sizes) == {"pattern": 2500, "spot": 3 * 2**16, "miller_index": 3, "component": 2}
        assert int(data["start"][1024]) == 2**16


def test_a_block_without_spots_is_a_block(store):
    plan = _build(store, most_peaks=0)
    sim = open_simulation(plan.id, store)
    found = sim.peaks(1000, 2100)
    assert len(found.hkl) == 0
    assert found.start.tolist() == [0] * 1101
    assert verify(store, plan.id).ok
    store.delete(f"{layout.simulation(plan.id)}/peaks/g/c/1/0")
    assert "block 1, peaks/g: cannot be read" in verify(store, plan.id).failures[0]


def test_a_retry_is_an_identical_overwrite(store):
    simulator = _fake()
    plan = begin(store, SPEC, ROWS, simulator)
    first = write_block(store, plan, simulator, 1)
    key = f"{layout.simulation(plan.id)}/peaks/g/c/1/0"
    written = store.read(key)
    store.delete(layout.receipt(plan.id, 1))
    store.write(key, b"half a shard")
    assert write_block(store, plan, simulator, 1) == first
    assert store.read(key) == written
    assert first.shapes["peaks/hkl"] == [int(simulator.block(1024, 2048).peaks.start[-1]), 3]


@pytest.mark.parametrize("path", ["peaks/hkl/c/1/0", "peaks/intensity/c/1", "peaks/count/c/1"])
def test_damage_and_missing_pieces_are_found(store, path):
    plan = _build(store)
    key = f"{layout.simulation(plan.id)}/{path}"
    whole = store.read(key)
    store.write(key, bytes([*whole[:40], whole[40] ^ 0xFF, *whole[41:]]))
    assert f"block 1, {path.split('/c')[0]}" in "".join(verify(store, plan.id).failures)
    store.delete(key)
    assert len(verify(store, plan.id).failures) == 1
    with pytest.raises(CorruptDataError, match=key):
        open_simulation(plan.id, store).peaks(1000, 1100)


def test_lists_of_another_block_are_refused(store):
    plan = _build(store)
    folder = layout.simulation(plan.id)
    store.write(f"{folder}/peaks/start/c/1", store.read(f"{folder}/peaks/start/c/0"))
    with pytest.raises(CorruptDataError, match=rf"{plan.id}.* 1024 … 1100 "):
        open_simulation(plan.id, store).peaks(1024, 1100)
    assert verify(store, plan.id).failures == ("block 1, peaks/start: the stored rows differ from their receipt",)


def test_lists_that_reach_into_what_was_never_written_are_refused(store):
    plan = _build(store)
    folder = layout.simulation(plan.id)
    for name in ("hkl/c/2/0", "g/c/2/0", "intensity/c/2"):  # a block of fewer spots in the place of one with more
        store.write(f"{folder}/peaks/{name.replace('2', '0', 1)}", store.read(f"{folder}/peaks/{name}"))
    with pytest.raises(CorruptDataError, match=plan.id):
        open_simulation(plan.id, store).peaks(0, 1024)


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (5, 5), (0, 2501)])
def test_patterns_that_do_not_exist_are_refused(store, start, stop):
    sim = open_simulation(_build(store).id, store)
    with pytest.raises(InputError, match="2500"):
        sim.peaks(start, stop)


def test_a_dataset_without_spots_says_so(store, small_spec):
    plan = begin(store, small_spec, ROWS, fake(small_spec))
    write_group(store.root, small_spec, plan.id, range(3), simulator=fake(small_spec))
    finish(store, plan)
    with pytest.raises(InputError, match=rf"{plan.id} .*peaks: true"):
        open_simulation(plan.id, store).peaks(0, 10)


def _lists(counts, extra=0):
    m = sum(counts) + extra
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Peaks(start, np.zeros((m, 3), np.int16), np.zeros((m, 2), np.float32), np.zeros(m, np.float32))


@pytest.mark.parametrize(
    ("peaks", "words"),
    [
        (_lists([1, 2]), " 0 … 3 "),
        (_lists([1, 2, 3], extra=1), " 0 … 3 "),
        (_lists([3, -1, 3]), " 0 … 3 "),
        (_lists([40_000, 30_000, 0]), " 65536"),
    ],
)
def test_spots_that_do_not_fit_are_refused(tmp_path, peaks, words):
    plan = begin(open_store(tmp_path), SPEC, ROWS, _fake())
    block = dataclasses.replace(_fake().block(0, 3), peaks=peaks)
    with pytest.raises(InputError, match=words):
        peak_arrays(plan, block)


def test_more_spots_in_a_pattern_than_its_count_can_say_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(peaks_module, "MOST_SPOTS", 2)
    plan = begin(open_store(tmp_path), SPEC, ROWS, _fake())
    with pytest.raises(InputError, match=" 3 "):
        peak_arrays(plan, dataclasses.replace(_fake().block(0, 3), peaks=_lists([0, 3, 0])))


def test_the_room_of_a_dataset_is_that_of_its_beginning(store):
    plan = _build(store, most_peaks=60)
    later = begin(store, SPEC, ROWS, _fake(most_peaks=90))
    assert later.spot_rows == plan.spot_rows
    assert open_simulation(plan.id, store).attrs["spot_rows"] == plan.spot_rows


def test_a_disk_that_fills_up_leaves_the_block_undone(tmp_path, monkeypatch):
    store, simulator = open_store(tmp_path), _fake()
    plan = begin(store, SPEC, ROWS, simulator)
    write_block(store, plan, simulator, 0)
    fsync, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(StoreFullError):
            write_group(store.root, SPEC, plan.id, range(3), simulator=simulator)
    with pytest.raises(IncompleteDatasetError):
        finish(store, plan)
    write_group(store.root, SPEC, plan.id, range(3), simulator=simulator)
    finish(store, plan)
    _same(open_simulation(plan.id, store).peaks(), simulator.block(0, 2500).peaks)


KILLED = """
import sys, time
from difsims_core.dataset.build import begin, write_group
from difsims_core.storage.objects import open_store
from tests.integration.test_store_peaks import SPEC, _fake
simulator = _fake(6, lambda start, stop: time.sleep(0 if start == 0 else 30))
plan = begin(open_store(sys.argv[1]), SPEC, 1024, simulator)
print(plan.id, flush=True)
write_group(sys.argv[1], SPEC, plan.id, range(3), simulator=simulator)
"""


@pytest.mark.slow
def test_a_killed_writer_is_resumed(store):
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
    simulator = _fake()
    plan = begin(store, SPEC, ROWS, simulator)
    assert plan.id == simulation_id
    write_group(store.root, SPEC, plan.id, range(3), simulator=simulator)
    finish(store, plan)
    assert simulator.calls == [(1024, 2048), (2048, 2500)]
    _same(open_simulation(plan.id, store).peaks(), _fake().block(0, 2500).peaks)
    assert verify(store, plan.id, 3, simulator=_fake()).ok
