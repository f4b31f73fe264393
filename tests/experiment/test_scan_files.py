"""Which raw scans names and folders stand for."""

from __future__ import annotations

import pytest

from difsims_core.errors import InputError
from difsims_core.experiment.scan_files import raw_scans
from difsims_core.storage.objects import open_store
from tests import counting_store  # noqa: F401 registers it


@pytest.fixture
def folder(tmp_path):
    for name in ("a.mib", "a.hdr", "a_mask.npy", "b_000.tvips", "b_001.tvips", "notes.txt", "c.zspy/.zgroup"):
        path = tmp_path / "scans" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_a_folder_stands_for_its_scans(folder):
    scans = folder / "scans"
    assert raw_scans([scans]) == [str(scans / name) for name in ("a.mib", "b_000.tvips", "c.zspy")]


def test_a_folder_of_a_store_too(folder):
    store = open_store("counted://lab")
    for name in ("scans/a.mib", "scans/a.hdr", "scans/c.zarr/zarr.json"):
        store.write(name, b"x")
    assert raw_scans(["counted://lab/scans/"]) == ["counted://lab/scans/a.mib", "counted://lab/scans/c.zarr"]


def test_what_is_named_is_meant_whatever_it_is_called(folder):
    named = [str(folder / "scans" / "notes.txt"), str(folder / "scans" / "c.zspy")]
    assert raw_scans([*named, named[0]]) == named


@pytest.mark.parametrize("nothing", ["empty", "scans/*.blo", "missing.mib"])
def test_what_stands_for_nothing_is_an_error_beside_others_too(folder, nothing):
    with pytest.raises(InputError):
        raw_scans([folder / "scans" / "a.mib", folder / nothing])
