"""Frames of a file as a Dask array over the scan."""

from __future__ import annotations

import math

import dask.array as da
import numpy as np

from difsims_core.experiment.stored.frames import StoredFrames
from difsims_core.experiment.stored.recording import ScanLayout

CHUNK_BYTES = 64 * 2**20
_FEWEST_CHUNKS = 16  # so that all threads have some
_SMALLEST_CHUNK_BYTES = 4 * 2**20


def lazy_scan(frames: StoredFrames, layout: ScanLayout, flip: tuple[bool, bool] = (False, False)) -> da.Array:
    """Return (ny, nx, rows, columns), each chunk whole frames of up to `CHUNK_BYTES` in the order of the file.

    Parameters
    ----------
    frames
        Where they are read.
    layout
        Which of them are the scan; they must be there.
    flip
        Whether rows, and columns, of each frame run the other way.
    """
    chunks: tuple[int, ...] = (*chunk_edges(frames, layout), *frames.frame_shape)
    source = _ScanOfFrames(frames, layout, flip)
    # One task a chunk; a name of its own, so that nothing is hashed.
    return da.from_array(source, chunks, name=False, meta=np.empty((0,) * 4, frames.dtype))  # pyright: ignore[reportArgumentType]


def chunk_edges(frames: StoredFrames, layout: ScanLayout) -> tuple[int, int]:
    """Return how many rows and columns of the scan make a chunk: whole rows, or a part of one that is too long.

    A small scan is cut into several chunks nevertheless, but what its file holds together is not.
    """
    frame_bytes = math.prod(frames.frame_shape) * frames.dtype.itemsize
    enough = max(_SMALLEST_CHUNK_BYTES // frame_bytes, layout.ny * layout.nx // _FEWEST_CHUNKS, frames.run_frames)
    together = max(1, min(CHUNK_BYTES // frame_bytes, enough))
    row = layout.nx + layout.extra
    if together < row:
        return 1, min(together, layout.nx)
    aligned = together // frames.run_frames * frames.run_frames or together
    return min(aligned // row or 1, layout.ny), layout.nx


class _ScanOfFrames:
    """What Dask slices: four axes over frames that are read in runs."""

    ndim = 4

    def __init__(self, frames: StoredFrames, layout: ScanLayout, flip: tuple[bool, bool]) -> None:
        self._frames, self._layout, self._flip = frames, layout, flip
        self.shape = (layout.ny, layout.nx, *frames.frame_shape)
        self.dtype = frames.dtype

    def __getitem__(self, wanted: tuple[int | slice, ...]) -> np.ndarray:
        rows, columns, *detector = (*wanted, *(slice(None),) * (self.ndim - len(wanted)))
        (top, bottom, row), (left, right, column) = _span(rows, self.shape[0]), _span(columns, self.shape[1])
        up_down, left_right = (slice(None, None, -1 if turned else 1) for turned in self._flip)
        block = self._block(top, bottom, left, right)[:, :, up_down, left_right]
        return block[(row, column, *detector)]

    def _block(self, top: int, bottom: int, left: int, right: int) -> np.ndarray:
        """Return the frames of a rectangle of the scan; rows that are read whole are one run of the file."""
        layout = self._layout
        if top >= bottom or left >= right:
            return np.empty((max(bottom - top, 0), max(right - left, 0), *self._frames.frame_shape), self.dtype)
        if (left, right) != (0, layout.nx):
            return np.stack([self._run(layout.frame_of(y, left), right - left) for y in range(top, bottom)])
        width = layout.nx + layout.extra
        run = self._run(layout.frame_of(top, 0), (bottom - top) * width - layout.extra)
        if not layout.extra:
            return run.reshape(bottom - top, layout.nx, *run.shape[1:])
        return np.stack([run[start : start + layout.nx] for start in range(0, len(run), width)])

    def _run(self, start: int, length: int) -> np.ndarray:
        return self._frames.read(start, start + length)


def _span(wanted: int | slice, length: int) -> tuple[int, int, int | slice]:
    """Return the range of an axis that an index touches, and the index within that range."""
    if not isinstance(wanted, slice):
        place = range(length)[wanted]
        return place, place + 1, 0
    places = range(length)[wanted]
    if not places:
        return 0, 0, slice(None)
    return min(places), max(places) + 1, slice(None, None, places.step)
