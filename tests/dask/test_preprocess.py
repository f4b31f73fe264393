"""Shards of a raw scan on a real Dask cluster: the same bytes, and errors that say what is different on a worker."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import pytest

from difsims_core import PreprocessingSpec, write_scan
from difsims_core.errors import ExperimentError, InputError, MissingObjectError
from difsims_core.experiment.inputs import ScanInputs
from difsims_core.experiment.prepare import survey_scan
from difsims_core.experiment.write.claims import claim_key
from difsims_core.experiment.write.plan import plan_scan
from difsims_core.experiment.write.records import read_completion, read_receipts
from difsims_core.experiment.write.remote import shard_order, write_remote_shard
from difsims_core.experiment.write.survey_text import SurveyText
from difsims_core.experiment.write.template import scan_template
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from difsims_core.storage.zarr.arrays import create_arrays
from flows.commands.preprocess import preprocess
from flows.execution import compute
from flows.execution.executors.dask_cluster import ClusterError
from tests.dask.conftest import use
from tests.experiment.made_scans import CALIBRATION, Faults, make_scan
from tests.services import free_ports

pytestmark = pytest.mark.dask

GIVEN = {
    "reading": {"calibration_per_angstrom": CALIBRATION},
    "phases": ["pb", "pbi2_2h"],
    "integration": {"n_azimuths": 360, "annuli_per_radius": 1, "uncovered": "flag"},  # large patterns: several shards
}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan with an ellipse to be fitted, a beam that wanders, dead pixels and references."""
    folder = tmp_path_factory.mktemp("raw")
    made = make_scan(
        ("pb", "pbi2_2h"), Faults(ellipse=(0.01, -0.005), drift=((2.0, 1.0), (-1.0, 2.0)), jitter_px=0.2), (14, 14)
    )
    mask = np.ones(made.frames.shape[2:], bool)
    mask[:, 40] = False
    np.save(folder / "film_mask.npy", mask)
    np.save(folder / "gain.npy", np.random.default_rng(0).uniform(0.9, 1.1, mask.shape))
    np.save(folder / "film.npy", made.frames)
    return folder / "film.npy"


@pytest.fixture
def scan_spec(raw: Path) -> PreprocessingSpec:
    return PreprocessingSpec.model_validate({**GIVEN, "pixels": {"gain": str(raw.with_name("gain.npy"))}})


@pytest.fixture
def begun(store, raw, scan_spec):
    """A scan whose shards are all missing."""
    inputs = ScanInputs.read(raw, scan_spec)
    prepared = survey_scan(inputs)
    plan = plan_scan(prepared, "film", "0" * 64, "1" * 64)
    store.create(claim_key("film"), plan.claim().to_record())
    create_arrays(store, layout.experiment_polar("film"), scan_template(inputs, prepared, plan))
    return prepared, plan


def test_the_same_bytes_as_in_this_process(cluster, store, raw, scan_spec, tmp_path, monkeypatch):
    told: list[int] = []
    there = write_scan(store, raw, scan_spec, progress=lambda done, _: told.append(done), write=compute.write_shards)
    assert (told[0], told[-1]) == (0, 14 * 14)
    assert told == sorted(told)

    monkeypatch.setenv("DIFSIMS_COMPUTE", "threads")
    other = open_store(tmp_path / "other")
    here = write_scan(other, raw, scan_spec, write=compute.write_shards)
    completions = [read_completion(place, "film") for place in (store, other)]
    assert completions[0] is not None
    assert completions[1] is not None
    assert completions[0].content_sha256 == completions[1].content_sha256
    assert completions[0].profiles_sha256 == completions[1].profiles_sha256
    assert there.fingerprint == here.fingerprint
    receipts = layout.experiment_polar("film") + "/" + layout.RECEIPTS
    names = store.list(receipts)
    assert len(names) > 1
    assert [store.read(key) for key in names] == [other.read(key) for key in names]


def test_the_command_sends_its_shards_to_the_cluster(cluster, store, raw, scan_spec, caplog):
    caplog.set_level("INFO", "flows")
    (url,) = preprocess([str(raw)], scan_spec, store.root)
    assert url == store.url(layout.experiment_profiles("film"))
    assert any(cluster.address in record.message for record in caplog.records)


def test_a_survey_keeps_every_bit_as_text(begun):
    prepared, _ = begun
    found = SurveyText.from_document(SurveyText.of(prepared.survey).to_document(), "it").survey()
    frames = np.asarray(prepared.scan.frames[3:5].compute()).reshape(-1, *prepared.scan.frame_shape)
    positions = np.stack(np.mgrid[3:5, 0:14], axis=-1).reshape(-1, 2)
    for one, other in zip(found.centres(frames, positions), prepared.survey.centres(frames, positions), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(found.pixels.good, prepared.survey.pixels.good)
    assert found.geometry == prepared.survey.geometry
    assert found.disc_radius_px == prepared.survey.disc_radius_px


def test_a_shard_that_exists_is_no_work(begun, store, monkeypatch):
    prepared, plan = begun
    order = shard_order(store, prepared, plan)
    write_remote_shard(1, **order)
    before = read_receipts(store, plan)
    assert set(before) == {1}
    monkeypatch.setattr("difsims_core.experiment.write.shards.integrated_blocks", None)
    write_remote_shard(1, **order)
    assert read_receipts(store, plan) == before


def test_other_versions_frames_and_places_are_refused(begun, store, raw, tmp_path):
    prepared, plan = begun
    order = shard_order(store, prepared, plan)
    frames = np.load(raw)
    frames[0, 0, 5, 5] += 1
    np.save(tmp_path / "film.npy", frames)
    for changed, error, told in (
        ({"made_by": "difsims 0.0.1"}, InputError, "difsims 0.0.1"),
        ({"fingerprint": "2" * 64}, InputError, "preprocess the scan again"),
        ({"source": str(tmp_path / "film.npy")}, InputError, "other frames"),
        ({"source": "/nowhere/film.npy"}, (ExperimentError, MissingObjectError), "/nowhere/film.npy"),
        ({"store_url": "file:///nowhere/difsims"}, InputError, "/nowhere/difsims"),
    ):
        with pytest.raises(error, match=rf"{platform.node()}.*{told}"):
            write_remote_shard(0, **(order | changed))
    assert not read_receipts(store, plan)


def test_an_unreachable_scheduler_is_named(store, raw, scan_spec, monkeypatch):
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    use(monkeypatch, address)
    monkeypatch.setattr("flows.execution.executors.dask_cluster.CONNECT_SECONDS", 1.0)
    with pytest.raises(ClusterError, match=address):
        write_scan(store, raw, scan_spec, write=compute.write_shards)
