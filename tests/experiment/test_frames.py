"""Frames become a lazy scan: the same numbers however it is sliced, in bounded pieces, of a file that stays."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import ExperimentError
from difsims_core.experiment.frames import DetectorCorrection, blocks_of, read_block
from difsims_core.experiment.open_scan import open_raw_scan
from difsims_core.experiment.stored import lazy
from difsims_core.experiment.stored.binary import BinaryFrames, FramesInFile
from difsims_core.experiment.stored.frames import StoredFrames
from difsims_core.experiment.stored.recording import ScanLayout


class Held(StoredFrames):
    """Frames in memory."""

    def __init__(self, frames):
        super().__init__(len(frames), frames.shape[1:], frames.dtype, [])
        self._held = frames

    def _read(self, start, stop):
        return self._held[start:stop]


LAYOUT = ScanLayout(6, 5, first=3, extra=2)
FRAMES = np.random.default_rng(0).integers(0, 999, (LAYOUT.n_frames, 4, 5)).astype(">u2")
SCAN = np.stack([[FRAMES[3 + y * 7 + x] for x in range(5)] for y in range(6)])


@pytest.mark.parametrize("chunk_bytes", [2**26, 14 * 40, 3 * 40, 1])
@pytest.mark.parametrize(
    "part",
    [np.s_[:], np.s_[2], np.s_[2, 3], np.s_[::2, ::-1], np.s_[::-2, 1:4:2, 1:3, ::-1], np.s_[[0, 3, 1]], np.s_[0:0],
     np.s_[..., 2, 3], np.s_[-1, -1]],
    ids=str,
)  # fmt: skip
def test_any_part_is_what_numpy_gives(monkeypatch, chunk_bytes, part):
    monkeypatch.setattr(lazy, "CHUNK_BYTES", chunk_bytes)
    scan = lazy.lazy_scan(Held(FRAMES), LAYOUT)
    found = scan[part].compute()
    np.testing.assert_array_equal(found, SCAN[part])
    assert found.dtype == np.uint16
    assert found.dtype.isnative


@pytest.mark.parametrize("flip", [(True, False), (False, True), (True, True)])
def test_patterns_are_flipped(flip):
    turned = SCAN[:, :, :: -1 if flip[0] else 1, :: -1 if flip[1] else 1]
    np.testing.assert_array_equal(lazy.lazy_scan(Held(FRAMES), LAYOUT, flip)[1:4, 2].compute(), turned[1:4, 2])


class Large(Held):
    """Frames that are only told of."""

    def __init__(self, n_frames, shape, dtype, together=1):
        StoredFrames.__init__(self, n_frames, shape, np.dtype(dtype), [])
        self.run_frames = together


@pytest.mark.parametrize(
    ("layout", "shape", "together", "edges"),
    [
        (ScanLayout(256, 256), (256, 256), 1, (2, 256)),  # 8.6 GB in 128 pieces
        (ScanLayout(1024, 1024), (64, 64), 1, (8, 1024)),
        (ScanLayout(100, 700), (1024, 1024), 1, (1, 32)),  # a row is longer than a piece
        (ScanLayout(256, 256), (64, 64), 5 * 256, (15, 256)),  # chunks of five rows are not read twice
        (ScanLayout(32, 32), (256, 256), 1, (2, 32)),  # all threads have some of a small scan
        (ScanLayout(32, 32), (256, 256), 8 * 32, (8, 32)),  # what its file holds together is read together
        (ScanLayout(4, 64), (256, 256), 1, (1, 32)),
        (ScanLayout(2, 2), (8, 8), 1, (2, 2)),
    ],
)
def test_pieces_are_whole_frames_of_up_to_64_mb(layout, shape, together, edges):
    frames = Large(layout.ny * layout.nx, shape, np.uint16, together)
    assert lazy.chunk_edges(frames, layout) == edges
    scan = lazy.lazy_scan(frames, layout)
    assert scan.chunksize == (*edges, *shape)
    assert len(scan.__dask_graph__()) <= scan.npartitions + 1


def test_frames_of_several_files_are_one_series_and_travel_as_names(tmp_path):
    records = np.zeros(7, [("header", "V4"), ("frame", ">u2", (2, 3)), ("footer", "V2")])
    records["frame"] = np.arange(42).reshape(7, 2, 3)
    parts = []
    for number, (start, stop) in enumerate([(0, 3), (3, 4), (4, 7)]):
        path = tmp_path / f"{number}.bin"
        path.write_bytes(b"head" * (number + 1) + records[start:stop].tobytes())
        parts.append(FramesInFile(path, 4 * (number + 1), stop - start))
    frames = BinaryFrames(parts, (2, 3), np.dtype(">u2"), before=4, after=2)
    sent = pickle.dumps(frames)
    assert len(sent) < 2000
    for start, stop in [(0, 7), (2, 5), (3, 4), (6, 7)]:
        np.testing.assert_array_equal(pickle.loads(sent).read(start, stop), records["frame"][start:stop])  # noqa: S301
    assert frames.headers().shape == (7, 4)


def test_a_file_that_changes_is_said_once_with_one_remedy(saved):
    scan = open_raw_scan(saved, ReadingSpec(calibration_per_angstrom=0.01))
    os.utime(saved, ns=(1, 1))
    with pytest.raises(ExperimentError) as raised:
        read_block(scan, blocks_of(scan)[0], DetectorCorrection())
    assert str(raised.value).endswith("changed while it was being read; wait until it is written, then start again")


@pytest.fixture
def saved(tmp_path, counts):
    np.save(tmp_path / "scan.npy", counts)
    return tmp_path / "scan.npy"


@pytest.mark.parametrize("damage", ["written to", "shortened", "replaced", "removed"])
def test_file_that_changes_while_it_is_read_is_refused(saved, damage):
    scan = open_raw_scan(saved, ReadingSpec(calibration_per_angstrom=0.01))
    scan.frames[0].compute()
    data = saved.read_bytes()
    if damage == "written to":
        os.utime(saved, ns=(1, 1))
    elif damage == "shortened":
        saved.write_bytes(data[:-10])
    else:
        saved.unlink()
    if damage == "replaced":
        saved.write_bytes(data)
    with pytest.raises(ExperimentError, match=r"scan\.npy: (changed while it was being read|No such file)"):
        scan.frames[0].compute()
