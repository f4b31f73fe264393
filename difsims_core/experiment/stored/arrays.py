"""Frames in arrays with scan axes and detector axes, of HDF5 or another library that reads parts of an array."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from difsims_core.config.raw_scans.reading import StoredOrder
from difsims_core.errors import ExperimentError
from difsims_core.experiment.stored.frames import StoredFrames
from difsims_core.experiment.stored.hdf5_links import StoredArray, opened
from difsims_core.experiment.stored.recording import ScanLayout

_MOST_CHUNK_BYTES = 2**31


class ArrayFrames(StoredFrames):
    """Frames of one array, (…, rows, columns) or (rows, columns, …), with up to two scan axes.

    Parameters
    ----------
    shape
        Of the array.
    dtype
        Of its numbers.
    files
        What must not change.
    order
        Which axes come first.
    chunks
        Of the array in its file, where it is stored in such.
    source
        Where it lies, if not in files.
    """

    def __init__(
        self,
        shape: Sequence[int],
        dtype: np.dtype,
        files: Iterable[str | Path],
        order: StoredOrder = "scan_first",
        chunks: Sequence[int] | None = None,
        source: str = "",
    ) -> None:
        scan, detector = split_axes(shape, order)
        super().__init__(math.prod(scan), detector, dtype, files, source)
        self.scan, self._order = scan, order
        if chunks is not None:
            size = math.prod(chunks) * dtype.itemsize
            if size > _MOST_CHUNK_BYTES:  # each is unpacked whole
                raise ExperimentError(f"is stored in chunks of {size:,} bytes", "store it in chunks of a few frames")
            held = split_axes(chunks, order)[0]
            self.run_frames = math.prod([*held[:1], *scan[1:]])

    @property
    def layout(self) -> ScanLayout | None:
        """The scan, where the array has two axes for it, or is one pattern."""
        return scan_of(self.scan)

    def _read(self, start: int, stop: int) -> np.ndarray:
        if not self.scan:
            with self._array() as array:
                return np.asarray(array[:, :])[None]
        width = math.prod(self.scan[1:])
        first, last = start // width, -(-stop // width)
        inner = slice(start - first * width, stop - first * width) if last == first + 1 else None
        wanted: tuple[slice, ...] = (slice(first, last),)
        if len(self.scan) == 2:
            wanted += (inner or slice(None),)
        with self._array() as array:
            if self._order == "scan_first":
                found = np.asarray(array[wanted])
            else:
                found = np.asarray(array[(slice(None), slice(None), *wanted)])
                found = np.moveaxis(found, (0, 1), (-2, -1))
        frames = found.reshape(-1, *self.frame_shape)
        return frames if inner else frames[start - first * width : stop - first * width]

    @abstractmethod
    def _array(self) -> AbstractContextManager[Any]:
        """Give something with the array's axes that is read by slices."""


class Hdf5Frames(ArrayFrames):
    """Frames of an array of an HDF5 file."""

    def __init__(self, array: StoredArray, order: StoredOrder = "scan_first") -> None:
        super().__init__(array.shape, np.dtype(array.dtype), [array.path], order, array.chunks)
        array.require_written()
        self._path, self.name = array.path, array.name

    def _array(self) -> AbstractContextManager[Any]:
        return _dataset(self._path, self.name)


@contextmanager
def _dataset(path: Path, name: str) -> Iterator[Any]:
    with opened(path) as file:
        yield file[name]


def split_axes(shape: Sequence[int], order: StoredOrder) -> tuple[tuple[int, ...], tuple[int, int]]:
    """Return the edges of the scan and of a frame.

    Raises
    ------
    ExperimentError
        If there are more than two axes beside those of the detector.
    """
    edges = tuple(int(edge) for edge in shape)
    if len(edges) not in (2, 3, 4):
        raise ExperimentError(
            f"expected an array with two axes of the detector and up to two of the scan, found {edges}",
            "name another array by dataset_path",
        )
    return (edges[:-2], edges[-2:]) if order == "scan_first" else (edges[2:], edges[:2])  # type: ignore[return-value]


def scan_of(edges: Sequence[int]) -> ScanLayout | None:
    """Return the scan that the axes of an array make; None for a stack, whose frames may lie in any scan."""
    if not edges:
        return ScanLayout(1, 1, reason="the file holds one pattern")
    return ScanLayout(edges[0], edges[1]) if len(edges) == 2 else None
