"""A preprocessed scan in a store: whole or not at all, the same bytes whatever happened on the way."""

from __future__ import annotations

import shutil
from itertools import count

import numpy as np
import pytest
import zarr

from difsims_core import PreprocessingSpec, open_experiment, preprocess_scan, write_scan
from difsims_core.errors import (
    CorruptDataError,
    ExperimentError,
    IncompleteDatasetError,
    InputError,
    MissingObjectError,
    StoreError,
)
from difsims_core.experiment.open_scan import raw_scan_name
from difsims_core.experiment.write.records import completion_key, read_receipts
from difsims_core.experiment.write.shards import write_shards
from difsims_core.experiment.write.verify import verify_experiment
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import read_profiles, write_profiles
from difsims_core.storage.npz.pattern_flags import BEAM_MODELLED
from difsims_core.storage.objects import open_store
from tests.counting_store import COUNTING

SPEC = PreprocessingSpec(
    reading={"calibration_per_angstrom": 0.05, "scan_step_nm": 2.5, "scan_rotation_deg": -12.5},
    geometry={"ellipse": (0, 0)},
    integration={"n_azimuths": 360, "annuli_per_radius": 1},  # large patterns: a shard is three rows
)
SHAPE = (7, 50)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    rng = np.random.default_rng(4)
    frames = rng.poisson(3.0, (*SHAPE, 64, 64)).astype(np.uint16)
    frames[:, :, 30:35, 31:36] += 1000
    path = tmp_path_factory.mktemp("raw") / "roi_3.npy"
    np.save(path, frames)
    return path


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def fail_at_write(patch, number):
    """Let the store in memory fail once, at the write of this number."""
    numbers, write = count(1), type(COUNTING).write

    def failing(backend, path, data):
        if next(numbers) == number:
            raise StoreError("the disk is full")
        write(backend, path, data)

    patch.setattr(type(COUNTING), "write", failing)


def objects(store):
    return {key: store.read(key) for key in store.list()}


def test_the_store_holds_what_is_made_in_memory(raw, store):
    written = write_scan(store, raw, SPEC)
    memory = preprocess_scan(raw, SPEC)
    found = open_experiment(written.name, store)
    assert written.profiles == store.url("experiments/profiles/roi_3_radial_crop.npz")
    np.testing.assert_array_equal(found["y"][...], memory.polar)
    np.testing.assert_array_equal(found["centre"][...], memory.centres)
    np.testing.assert_array_equal(found["flags"][...], memory.flags)
    np.testing.assert_array_equal(found["pixels"][...], memory.pixels)
    np.testing.assert_array_equal(found["counts"][...], memory.counts[..., 0])
    np.testing.assert_array_equal(found["beam_counts"][...], memory.counts[..., 1])
    profiles = read_profiles(written.profiles)
    np.testing.assert_array_equal(profiles.y, memory.profiles)
    np.testing.assert_array_equal(profiles.x, memory.q)
    np.testing.assert_array_equal(profiles.flags, memory.flags)
    assert found.attrs["scan_step_nm"] == profiles.scan_step_nm == 2.5
    assert found.attrs["scan_rotation_deg"] == -12.5
    assert found.attrs["parameters"] == SPEC.to_document()
    assert len(store.list(f"{layout.experiment_polar('roi_3')}/receipts")) == 3
    assert verify_experiment(store, "roi_3").ok


def test_flags_reach_the_file_that_classifiers_read(raw, store, tmp_path):
    frames = np.load(raw)[:3]
    frames[1, 4] = 0
    frames[2, 7, 28:37, 29:38] = 3  # the beam is blanked, the rest is there
    np.save(tmp_path / "blanked.npy", frames)
    profiles = read_profiles(write_scan(store, tmp_path / "blanked.npy", SPEC).profiles)
    assert np.argwhere(profiles.unusable).tolist() == [[1, 4], [2, 7]]
    assert profiles.flags[2, 7] == BEAM_MODELLED


def test_the_same_frames_are_not_preprocessed_twice(raw, store, tmp_path):
    write_scan(store, raw, SPEC)
    before = objects(store)
    elsewhere = tmp_path / "elsewhere" / raw.name
    elsewhere.parent.mkdir()
    shutil.copy(raw, elsewhere)
    assert write_scan(store, elsewhere, SPEC).reused
    assert objects(store) == before


def test_profiles_that_were_removed_come_back(raw, store):
    written = write_scan(store, raw, SPEC)
    key = layout.experiment_profiles(written.name)
    before = store.read(key)
    store.delete(key)
    assert not write_scan(store, raw, SPEC).reused
    assert store.read(key) == before


def test_another_document_replaces_nothing_unless_asked(raw, store):
    write_scan(store, raw, SPEC)
    before = objects(store)
    other = SPEC.model_copy(update={"integration": SPEC.integration.model_copy(update={"n_azimuths": 180})})
    with pytest.raises(ExperimentError) as caught:
        write_scan(store, raw, other)
    assert "--force" in caught.value.remedy
    assert objects(store) == before
    assert write_scan(store, raw, other, name="roi_3_coarse").name == "roi_3_coarse"
    write_scan(store, raw, other, force=True)
    assert open_experiment("roi_3", store)["y"].shape[-1] == 180
    assert verify_experiment(store, "roi_3").ok


def test_profiles_of_somebody_else_are_not_overwritten(raw, store):
    mine = store.url(layout.experiment_profiles("roi_3"))
    write_profiles(mine, np.linspace(0.1, 1.3, 20), np.ones((2, 2, 20)))
    with pytest.raises(ExperimentError):
        write_scan(store, raw, SPEC)
    assert read_profiles(mine).y.shape == (2, 2, 20)


@pytest.mark.parametrize("change", ["frames", "mask", "calibration"])
def test_whatever_results_depend_on_makes_another_scan(raw, store, tmp_path, change):
    spec, path = SPEC, tmp_path / raw.name
    frames = np.load(raw)
    if change == "frames":
        frames[3, 20, 1, 1] += 1
    if change == "mask":
        np.save(tmp_path / "roi_3_mask.npy", np.arange(64 * 64).reshape(64, 64) != 7)
    if change == "calibration":
        spec = spec.model_copy(update={"reading": spec.reading.model_copy(update={"calibration_per_angstrom": 0.0501})})
    np.save(path, frames)
    first = write_scan(store, raw, SPEC)
    assert write_scan(store, path, spec, name="other").fingerprint != first.fingerprint


def test_a_scan_resumes_after_every_write_that_fails(raw, monkeypatch, tmp_path):
    np.save(tmp_path / raw.name, np.load(raw)[:4])
    whole, raw = open_store("counted://whole"), tmp_path / raw.name
    write_scan(whole, raw, SPEC)
    expected = {key: data for key, data in objects(whole).items() if key.endswith(("/0", "/1", ".npz"))}
    n_writes = len(objects(whole))
    for k in range(1, n_writes + 1):
        stopped = open_store(f"counted://stopped-{k}")
        with monkeypatch.context() as patch:
            fail_at_write(patch, k)
            with pytest.raises(StoreError):
                write_scan(stopped, raw, SPEC)
        with pytest.raises((IncompleteDatasetError, MissingObjectError)):
            open_experiment("roi_3", stopped)
        write_scan(stopped, raw, SPEC)
        assert {key: stopped.read(key) for key in expected} == expected
        assert verify_experiment(stopped, "roi_3").ok


def test_what_is_stored_is_not_computed_again(raw, store):
    write_scan(store, raw, SPEC)
    group = layout.experiment_polar("roi_3")
    store.delete(f"{group}/{layout.COMPLETE}")
    store.delete(f"{group}/receipts/00001.json")
    told = []
    write_scan(store, raw, SPEC, progress=lambda done, total: told.append((done, total)))
    assert told == [(200, 350), (350, 350)]


@pytest.mark.parametrize(
    "damage",
    ["y/c/1/0/0/0", "flags/c/0/0", "q/c/0", "receipts/00002.json", "zarr.json", "complete.json", "stranger"],
)
def test_damage_is_found(raw, store, damage):
    write_scan(store, raw, SPEC)
    key = f"{layout.experiment_polar('roi_3')}/{damage}"
    data = store.read(key) if damage != "stranger" else b"12"
    store.write(key, data[:-1] + bytes([data[-1] ^ 1]))
    assert not verify_experiment(store, "roi_3").ok


@pytest.mark.parametrize("loss", ["removed", "cut"])
def test_rows_that_were_lost_are_made_again(raw, store, loss):
    write_scan(store, raw, SPEC)
    before = objects(store)
    key = f"{layout.experiment_polar('roi_3')}/y/c/1/0/0/0"
    store.delete(key) if loss == "removed" else store.write(key, before[key][:-7])
    assert not write_scan(store, raw, SPEC).reused
    assert store.read(key) == before[key]
    assert verify_experiment(store, "roi_3").ok


def test_force_makes_a_damaged_one_again(raw, store):
    write_scan(store, raw, SPEC)
    key = f"{layout.experiment_polar('roi_3')}/y/c/1/0/0/0"
    store.write(key, bytes(reversed(store.read(key))))
    write_scan(store, raw, SPEC, force=True)
    assert verify_experiment(store, "roi_3").ok


def test_of_two_writers_of_a_name_one_is_told(raw, store):
    """The second comes while the first writes, and takes the name by force."""
    other = SPEC.model_copy(update={"integration": SPEC.integration.model_copy(update={"n_azimuths": 180})})

    def interrupted(there, prepared, plan, progress):
        with pytest.raises(ExperimentError):
            write_scan(store, raw, other)
        write_scan(store, raw, other, force=True)
        write_shards(there, prepared, plan, progress)

    with pytest.raises(ExperimentError):
        write_scan(store, raw, SPEC, write=interrupted)
    assert open_experiment("roi_3", store)["y"].shape[-1] == 180
    assert verify_experiment(store, "roi_3").ok


def test_two_writers_of_the_same_share_the_work(raw, store):
    def beside(there, prepared, plan, progress):
        assert not write_scan(store, raw, SPEC).reused
        write_shards(there, prepared, plan, progress)

    write_scan(store, raw, SPEC, write=beside)
    assert verify_experiment(store, "roi_3").ok


def test_who_has_it_open_notices_that_it_was_replaced(raw, store):
    write_scan(store, raw, SPEC)
    opened = open_experiment("roi_3", store)
    write_scan(
        store,
        raw,
        SPEC.model_copy(update={"reading": SPEC.reading.model_copy(update={"scan_step_nm": 3.0})}),
        force=True,
    )
    with pytest.raises(CorruptDataError):
        opened["profiles"]


def test_profiles_that_were_exchanged_are_found(raw, store):
    written = write_scan(store, raw, SPEC)
    write_profiles(written.profiles, np.linspace(0.1, 1.3, 20), np.ones((2, 2, 20)))
    assert not verify_experiment(store, "roi_3").ok


def test_a_row_that_is_too_large_to_store_is_refused(store, tmp_path):
    frames = np.ones((1, 400, 8, 8), np.uint8)
    frames[:, :, 3:5, 3:5] = 200
    np.save(tmp_path / "long.npy", frames)
    spec = SPEC.model_copy(update={"reading": SPEC.reading.model_copy(update={"calibration_per_angstrom": 0.35})})
    with pytest.raises(ExperimentError) as caught:
        write_scan(store, tmp_path / "long.npy", spec)
    assert "n_azimuths" in caught.value.remedy
    assert store.list() == []


@pytest.mark.parametrize(
    ("location", "name"),
    [
        ("/data/roi_7_master.h5", "roi_7"),
        ("s3://lab/day 3/roi_7.MIB", "roi_7"),
        ("scan.v2.zspy", "scan.v2"),
        ("notes.txt", "notes.txt"),
    ],
)
def test_names_come_from_files(location, name):
    assert raw_scan_name(location) == name


@pytest.mark.parametrize("name", ["run-0123456789abcdef", "cnn-00000000-0000-4000-8000-000000000001", "a/b", ".."])
def test_names_that_others_are_called_by_are_refused(raw, store, name):
    with pytest.raises(InputError):
        write_scan(store, raw, SPEC, name=name)
    assert store.list() == []


def test_names_and_urls_find_an_experiment(raw, store):
    written = write_scan(store, raw, SPEC)
    assert open_experiment(written.group).name == "roi_3"
    for wrong, error in (("roi_4", MissingObjectError), (f"{store.root}/roi_3.zarr", InputError)):
        with pytest.raises(error):
            open_experiment(wrong, store)


def test_a_group_that_is_rewritten_meanwhile_gets_no_receipts(store, raw, tmp_path):
    frames = np.load(raw)
    path = str(tmp_path / "roi_3.zarr")
    array = zarr.create_array(path, data=frames, chunks=(1, *frames.shape[1:]))
    receipts = {}

    def write(store, prepared, plan, progress):
        array[:] = frames[::-1]
        try:
            write_shards(store, prepared, plan, progress)
        finally:
            receipts[plan.name] = read_receipts(store, plan)

    with pytest.raises(ExperimentError, match=r"roi_3\.zarr: changed while it was being read"):
        write_scan(store, path, SPEC, write=write)
    assert receipts == {"roi_3": {}}
    assert not store.exists(completion_key("roi_3"))
    write_scan(store, path, SPEC, force=True)
    assert verify_experiment(store, "roi_3").ok
