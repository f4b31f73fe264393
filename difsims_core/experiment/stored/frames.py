"""Frames in the order of their file, read in runs."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from difsims_core.errors import DifsimsError, ExperimentError
from difsims_core.experiment.stored.stamps import FileStamp, GroupStamp
from difsims_core.messages import first_line

_MOST_FRAME_BYTES = 2**29


class StoredFrames(ABC):
    """``n_frames`` detector frames, numbered as the file holds them.

    Pickled, it is a few names and numbers: files are opened where and when they are read, so that threads and other
    processes read alike. Plain reads are used, never mapped memory: a file that shrinks under a mapping ends the
    process, and mapped pages count as its memory.

    Attributes
    ----------
    n_frames : int
        How many there are.
    frame_shape : tuple of int
        Rows and columns.
    dtype : numpy.dtype
        Real, native byte order.
    run_frames : int
        Runs are best a multiple of so many frames, which the file holds compressed together.
    source : str
        Where they lie, for messages.
    group : GroupStamp or None
        Of the Zarr group that holds them. To list one takes long: whoever reads compares it now and then, not here.
    """

    run_frames = 1
    group: GroupStamp | None = None

    def __init__(
        self,
        n_frames: int,
        frame_shape: tuple[int, int],
        dtype: np.dtype,
        files: Iterable[str | Path],
        source: str = "",
    ) -> None:
        if n_frames < 1 or min(frame_shape) < 1:
            raise ExperimentError(f"holds {n_frames} frames of {frame_shape[0]} × {frame_shape[1]} pixels, no scan")
        if math.prod(frame_shape) * dtype.itemsize > _MOST_FRAME_BYTES:
            raise ExperimentError(
                f"holds frames of {frame_shape[0]} × {frame_shape[1]} pixels, no detector has so many"
            )
        if dtype.kind not in "iufb":
            raise ExperimentError(f"holds numbers of the type {dtype}, expected counts: whole or real numbers")
        self.n_frames, self.frame_shape = n_frames, frame_shape
        self.dtype = np.dtype(np.uint8) if dtype.kind == "b" else dtype.newbyteorder("=")
        self._stamps = tuple(FileStamp.of(path) for path in files)
        self.source = source or (self._stamps[0].path if self._stamps else "")

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of the files that hold them; none where they are no files of this machine."""
        return tuple(stamp.path for stamp in self._stamps)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return the frames ``start:stop``, (stop − start, rows, columns), of ``dtype``.

        Raises
        ------
        ExperimentError
            If a file was changed since it was opened, or cannot be read.
        """
        for stamp in self._stamps:
            stamp.require_unchanged()
        try:
            found = np.array(self._read(start, stop), dtype=self.dtype, order="C", copy=None)
        except DifsimsError:
            raise
        except Exception as error:  # what a library raises over damaged bytes is of any kind
            raise ExperimentError(
                f"{self.source}: frames {start}:{stop} cannot be read ({type(error).__name__}: {first_line(error)})",
                "it may be damaged: copy it again",
            ) from error
        finally:
            for stamp in self._stamps:
                stamp.require_unchanged()
        return found

    @abstractmethod
    def _read(self, start: int, stop: int) -> np.ndarray:
        """Return frames of any byte order."""


class JoinedFrames(StoredFrames):
    """Frames of several arrays or files, one after another.

    Parameters
    ----------
    parts
        Of frames of one shape.
    """

    def __init__(self, parts: Sequence[StoredFrames]) -> None:
        shapes = {part.frame_shape for part in parts}
        if len(shapes) > 1:
            raise ExperimentError(f"holds frames of different shapes: {', '.join(map(str, sorted(shapes)))}")
        dtype = np.result_type(*(part.dtype for part in parts))
        super().__init__(sum(part.n_frames for part in parts), parts[0].frame_shape, dtype, ())
        self._parts = tuple(parts)

    def _read(self, start: int, stop: int) -> np.ndarray:
        found, first = [], 0
        for part in self._parts:
            begin, end = max(start - first, 0), min(stop - first, part.n_frames)
            if begin < end:
                found.append(part.read(begin, end))
            first += part.n_frames
        return np.concatenate(found)


class ReorderedFrames(StoredFrames):
    """Frames in another order than their file's.

    Parameters
    ----------
    frames
        In the order of the file.
    order
        (n,) which of them comes at each place.
    """

    def __init__(self, frames: StoredFrames, order: np.ndarray) -> None:
        super().__init__(len(order), frames.frame_shape, frames.dtype, ())
        self._frames, self._order = frames, order

    def _read(self, start: int, stop: int) -> np.ndarray:
        return np.concatenate([self._frames.read(place, place + 1) for place in self._order[start:stop].tolist()])
