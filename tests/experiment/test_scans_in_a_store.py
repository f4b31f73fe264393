"""Scans in an object store: files by a local copy, Zarr groups where they lie."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import DifsimsError, ExperimentError, MissingObjectError
from difsims_core.experiment.open_scan import open_raw_scan
from difsims_core.storage.kept_copies import FOLDER, LIMIT
from difsims_core.storage.objects import open_store
from tests.counting_store import COUNTING
from tests.experiment.formats import WRITERS, mib, npy, zarr_array


@pytest.fixture
def square():
    return np.random.default_rng(3).integers(0, 255, (4, 4, 8, 8)).astype(np.uint8)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path / "cache"))
    COUNTING.objects.clear()
    return "counted://bucket/raw"


def upload(folder: Path, root: str) -> None:
    store = open_store(root)
    for path in folder.rglob("*"):
        if path.is_file():
            store.upload(path, path.relative_to(folder).as_posix())


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_is_read_from_a_store(tmp_path, root, square, name):
    (tmp_path / "here").mkdir()
    written = WRITERS[name](tmp_path / "here" / "scan", square)
    upload(tmp_path / "here", root)
    scan = open_raw_scan(f"{root}/{written.name}")
    frames = scan.frames.compute()[..., :8, :8]
    np.testing.assert_array_equal(frames, square)
    assert scan.source == f"{root}/{written.name}"
    local = open_raw_scan(written)
    assert (local.calibration_per_angstrom, local.scan_step_nm) == (scan.calibration_per_angstrom, scan.scan_step_nm)
    assert (tmp_path / "cache").exists() == (name not in ("zarr_array", "zspy"))


def test_only_what_is_asked_for_is_fetched_of_a_zarr_group(tmp_path, root, square):
    upload(zarr_array(tmp_path / "scan", square), f"{root}/scan.zarr")
    frames = open_raw_scan(f"{root}/scan.zarr").frames
    COUNTING.requests.clear()
    frames[0, 0].compute()
    assert sorted(COUNTING.requests) == sorted(f"bucket/raw/scan.zarr/c/0/0/{y}/{x}" for y in (0, 1) for x in (0, 1))


def test_copy_may_go_when_nobody_holds_the_scan(tmp_path, root, square, monkeypatch):
    upload(npy(tmp_path / "a", square).parent, root)
    upload(npy(tmp_path / "b", square + 1).parent, root)
    monkeypatch.setenv(LIMIT, "2e-6")
    scan = open_raw_scan(f"{root}/a.npy")
    with pytest.raises(DifsimsError, match="all that is kept is in use"):
        open_raw_scan(f"{root}/b.npy")
    np.testing.assert_array_equal(scan.frames.compute(), square)
    del scan
    gc.collect()
    np.testing.assert_array_equal(open_raw_scan(f"{root}/b.npy").frames.compute(), square + 1)


def test_errors_name_the_object(root, tmp_path, square):
    upload(mib(tmp_path / "scan", square).parent, root)
    COUNTING.objects["bucket/raw/scan.mib"] = COUNTING.objects["bucket/raw/scan.mib"][:-7]
    with pytest.raises(ExperimentError) as caught:
        open_raw_scan(f"{root}/scan.mib")
    assert str(caught.value).startswith(f"{root}/scan.mib: holds 15 frames")
    with pytest.raises(MissingObjectError, match=r"missing\.mib: no such object"):
        open_raw_scan(f"{root}/missing.mib")
    with pytest.raises(DifsimsError, match=r"missing\.zarr: no Zarr group"):
        open_raw_scan(f"{root}/missing.zarr")


@pytest.mark.service
def test_s3(s3_store_url, tmp_path, monkeypatch, square):
    monkeypatch.setenv(FOLDER, str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    for name in ("mib", "zspy"):
        written = WRITERS[name](tmp_path / "here" / "scan", square)
        upload(tmp_path / "here", s3_store_url)
        scan = open_raw_scan(f"{s3_store_url}/{written.name}", ReadingSpec(calibration_per_angstrom=0.01))
        np.testing.assert_array_equal(scan.frames.compute(), square)
