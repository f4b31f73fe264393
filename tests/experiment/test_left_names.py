"""A name that was claimed by a writer who ended before its first part was whole is free after a while, for one."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from difsims_core import PreprocessingSpec, open_experiment, write_scan
from difsims_core.errors import ExperimentError, StoreError
from difsims_core.experiment.prepare import prepare_scan
from difsims_core.experiment.write.claims import read_claim
from difsims_core.experiment.write.plan import ScanPlan
from difsims_core.experiment.write.shards import write_group
from difsims_core.experiment.write.verify import verify_experiment
from difsims_core.moments import as_text
from difsims_core.storage.objects import open_store

GIVEN = {"reading": {"calibration_per_angstrom": 0.05}, "geometry": {"ellipse": (0, 0)}}
SPEC, OTHER, THIRD = (
    PreprocessingSpec.model_validate({**GIVEN, **more})
    for more in ({}, {"beam": {"blank": "refuse"}}, {"pixels": {"find_bad": False}})
)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    frames = np.random.default_rng(4).poisson(3.0, (3, 5, 64, 64)).astype(np.uint16)
    frames[:, :, 30:35, 31:36] += 1000
    path = tmp_path_factory.mktemp("raw") / "roi_3.npy"
    np.save(path, frames)
    return path


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def objects(store):
    return {key: store.read(key) for key in store.list()}


@pytest.fixture
def left_behind(raw, store, monkeypatch):
    """A name that was claimed for other frames by a process that ended before its first part was whole."""

    def left(minutes: float, *, parts: int = 0) -> None:
        began = datetime.now(UTC) - timedelta(minutes=minutes)

        def write(store, prepared, plan, _progress):
            list(write_group(store, prepared, plan, range(parts)))
            raise StoreError("the disk is gone")

        with monkeypatch.context() as patch:
            patch.setattr("difsims_core.experiment.write.plan.now_text", lambda: as_text(began))
            with pytest.raises(StoreError):
                write_scan(store, raw, OTHER, write=write)

    return left


def test_a_name_that_was_claimed_and_left_is_taken_over(raw, store, tmp_path, left_behind):
    """As when a raw file changed during the first attempt at it: nothing of that is left."""
    left_behind(6)
    written = write_scan(store, raw, SPEC)
    assert verify_experiment(store, written.name).ok
    elsewhere = open_store(tmp_path / "elsewhere")
    write_scan(elsewhere, raw, SPEC)
    assert store.list() == elsewhere.list()
    assert open_experiment(written.name, store).attrs["parameters"] == SPEC.to_document()


@pytest.mark.parametrize(("minutes", "parts"), [(1, 0), (6, 1)])
def test_a_name_whose_writer_may_be_at_work_is_not(raw, store, left_behind, minutes, parts):
    left_behind(minutes, parts=parts)
    before = objects(store)
    with pytest.raises(ExperimentError, match="there already"):
        write_scan(store, raw, SPEC)
    assert objects(store) == before


def test_the_writer_that_comes_back_to_a_name_that_was_taken_over_stops(raw, store, left_behind):
    left_behind(6)
    prepared = prepare_scan(raw, OTHER)
    slow = ScanPlan.of(read_claim(store, "roi_3"))
    write_scan(store, raw, SPEC)
    before = objects(store)
    with pytest.raises(ExperimentError, match="has taken the name"):
        list(write_group(store, prepared, slow, [0]))
    assert objects(store) == before


def test_of_two_that_take_a_name_over_one_succeeds(raw, store, left_behind, monkeypatch):
    left_behind(6)
    replace = type(store).replace

    def late(self, key, data, version):
        monkeypatch.setattr(type(store), "replace", replace)
        write_scan(store, raw, SPEC)  # another one is faster between look and write
        return replace(self, key, data, version)

    monkeypatch.setattr(type(store), "replace", late)
    with pytest.raises(ExperimentError, match="there already"):
        write_scan(store, raw, THIRD)
    assert verify_experiment(store, "roi_3").ok
    assert open_experiment("roi_3", store).attrs["parameters"] == SPEC.to_document()
