"""What a file may not do: name other files of the machine for its numbers, or the code that reads them."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import zarr

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import DifsimsError
from difsims_core.experiment.open_scan import open_raw_scan


@pytest.fixture
def elsewhere(tmp_path, counts):
    """A file of somebody else, in another folder."""
    (tmp_path / "private").mkdir()
    with h5py.File(tmp_path / "private" / "secret.h5", "w") as file:
        file["counts"] = counts
    return tmp_path / "private" / "secret.h5"


@pytest.fixture
def path(tmp_path):
    (tmp_path / "uploads").mkdir()
    return tmp_path / "uploads" / "scan.h5"


def require_refused(path):
    for reading in (ReadingSpec(), ReadingSpec(dataset_path="counts")):
        with pytest.raises(DifsimsError):
            open_raw_scan(path, reading)


@pytest.mark.parametrize("relative", [True, False])
def test_link_to_another_folder_is_not_followed(path, elsewhere, relative):
    with h5py.File(path, "w") as file:
        file["counts"] = h5py.ExternalLink("../private/secret.h5" if relative else str(elsewhere), "counts")
    require_refused(path)


def test_bare_file_is_not_read_as_counts(path, elsewhere, counts):
    with h5py.File(path, "w") as file:
        file.create_dataset("counts", (4, 3, 2, 2), "u1", external=[(str(elsewhere), 0, 48)])
    require_refused(path)


def test_virtual_array_of_another_folder_is_not_read(path, elsewhere, counts):
    layout = h5py.VirtualLayout(counts.shape, "u2")
    layout[...] = h5py.VirtualSource(str(elsewhere), "counts", counts.shape)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("counts", layout)
    require_refused(path)


def test_links_beside_the_file_are_followed_and_circles_end(path, counts):
    with h5py.File(path.with_name("data.h5"), "w") as file:
        file["frames"] = counts
    with h5py.File(path, "w") as file:
        file["counts"] = h5py.ExternalLink("data.h5", "frames")
        file["again"] = h5py.SoftLink("/counts")
        file["circle"] = h5py.SoftLink("/circle")
    for name in (None, "counts", "again"):
        np.testing.assert_array_equal(open_raw_scan(path, ReadingSpec(dataset_path=name)).frames, counts)
    with pytest.raises(DifsimsError, match="more than 8 links"):
        open_raw_scan(path, ReadingSpec(dataset_path="circle"))


@pytest.mark.parametrize(
    ("shape", "chunks", "said"),
    [
        ((2, 2, 2**16, 2**16), (1, 1, 64, 64), "no detector has so many"),
        ((256,) * 4, (96, 64, 256, 256), "in chunks of"),
    ],
)
def test_what_would_fill_the_memory_is_refused_before_it_is_read(path, shape, chunks, said):
    with h5py.File(path, "w") as file:
        file.create_dataset("counts", shape, "f8", chunks=chunks)
    with pytest.raises(DifsimsError, match=said):
        open_raw_scan(path)


@pytest.mark.parametrize(
    "change", [{"filters": [{"id": "pickle"}]}, {"compressor": {"id": "pickle"}}, {"filters": [{}]}]
)
def test_zarr_of_format_2_cannot_name_an_unpickler(tmp_path, counts, change):
    zarr.create_array(str(tmp_path / "scan.zarr"), data=counts, zarr_format=2)
    document = tmp_path / "scan.zarr" / ".zarray"
    document.write_text(json.dumps(json.loads(document.read_text()) | change))
    with pytest.raises(DifsimsError, match="is not read from files of others"):
        open_raw_scan(tmp_path / "scan.zarr")


@pytest.mark.parametrize("sharded", [False, True])
def test_zarr_of_format_3_cannot_name_an_unpickler(tmp_path, counts, sharded):
    shards = counts.shape if sharded else None
    zarr.create_array(str(tmp_path / "scan.zarr"), data=counts, chunks=(2, 3, 6, 5), shards=shards)
    np.testing.assert_array_equal(open_raw_scan(tmp_path / "scan.zarr").frames, counts)
    document = tmp_path / "scan.zarr" / "zarr.json"
    found = json.loads(document.read_text())
    codecs = found["codecs"][0]["configuration"]["codecs"] if sharded else found["codecs"]
    codecs.append({"name": "numcodecs.pickle", "configuration": {}})
    document.write_text(json.dumps(found))
    with pytest.raises(DifsimsError, match=r"numcodecs\.pickle, which is not read"):
        open_raw_scan(tmp_path / "scan.zarr")


def test_zarr_chunks_that_were_left_out_are_fill_values_and_huge_ones_are_refused(tmp_path, counts):
    counts[2:] = 0
    zarr.create_array(
        str(tmp_path / "scan.zarr"), data=counts, chunks=(2, 3, 6, 5), config={"write_empty_chunks": False}
    )
    assert not (tmp_path / "scan.zarr" / "c" / "1").exists()
    scan = open_raw_scan(tmp_path / "scan.zarr", ReadingSpec(missing_chunks="fill"))
    np.testing.assert_array_equal(scan.frames, counts)
    document = tmp_path / "scan.zarr" / "zarr.json"
    found = json.loads(document.read_text())
    found["chunk_grid"]["configuration"]["chunk_shape"] = [2**20, 2**12, 6, 5]
    document.write_text(json.dumps(found))
    with pytest.raises(DifsimsError, match="smaller chunks"):
        open_raw_scan(tmp_path / "scan.zarr")
