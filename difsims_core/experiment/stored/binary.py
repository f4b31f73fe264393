"""Frames of equal size that follow each other in plain files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from difsims_core.errors import ExperimentError
from difsims_core.experiment.stored.frames import StoredFrames


@dataclass(frozen=True, slots=True)
class FramesInFile:
    """A file, and where frames lie in it: ``n_frames`` records from ``offset`` on."""

    path: Path
    offset: int
    n_frames: int


class BinaryFrames(StoredFrames):
    """Records of a header, a frame and a footer, in one file or several.

    Parameters
    ----------
    parts
        The files, in the order of their frames.
    shape
        Rows and columns of a frame.
    dtype
        Of its numbers, with their byte order.
    before, after
        Bytes of a record before and after the frame.
    """

    def __init__(
        self, parts: Sequence[FramesInFile], shape: tuple[int, int], dtype: np.dtype, *, before: int = 0, after: int = 0
    ) -> None:
        super().__init__(sum(part.n_frames for part in parts), shape, dtype, (part.path for part in parts))
        self._parts = tuple(parts)
        self._record = record(shape, dtype, before, after)

    def _read(self, start: int, stop: int) -> np.ndarray:
        runs = [found["frame"] for found in self._runs(start, stop)]
        return runs[0] if len(runs) == 1 else np.concatenate(runs)

    def headers(self) -> np.ndarray:
        """Return what stands before each frame, (n_frames, before) uint8; frames are skipped, not read."""
        size, length = self._record.itemsize, self._record["header"].itemsize
        found = np.empty((self.n_frames, length), np.uint8)
        number = 0
        for part in self._parts:
            with part.path.open("rb", buffering=0) as stream:
                for index in range(part.n_frames):
                    stream.seek(part.offset + index * size)
                    found[number] = np.frombuffer(stream.read(length), np.uint8)
                    number += 1
        return found

    def _runs(self, start: int, stop: int) -> list[np.ndarray]:
        """Return the records ``start:stop``, those of each file by themselves."""
        found, first = [], 0
        for part in self._parts:
            begin, end = max(start - first, 0), min(stop - first, part.n_frames)
            if begin < end:
                offset = part.offset + begin * self._record.itemsize
                records = np.fromfile(part.path, self._record, count=end - begin, offset=offset)
                if len(records) < end - begin:
                    raise truncated(part.path, begin + len(records), part.n_frames)
                found.append(records)
            first += part.n_frames
        return found


class PixelsInFile(StoredFrames):
    """Frames of a file that holds first all positions of one pixel, then those of the next.

    A run of frames takes a short read for each pixel; nothing else is held.

    Parameters
    ----------
    parts
        The file; how many frames it has.
    shape
        Rows and columns of a frame.
    dtype
        Of its numbers, with their byte order.
    """

    def __init__(self, parts: Sequence[FramesInFile], shape: tuple[int, int], dtype: np.dtype) -> None:
        (self._part,) = parts
        super().__init__(self._part.n_frames, shape, dtype, [self._part.path])
        self._stored = dtype

    def _read(self, start: int, stop: int) -> np.ndarray:
        rows, columns = self.frame_shape
        found = np.empty((rows * columns, stop - start), self._stored)
        with self._part.path.open("rb", buffering=0) as stream:
            for pixel in range(rows * columns):
                stream.seek(self._part.offset + (pixel * self.n_frames + start) * self._stored.itemsize)
                if stream.readinto(found[pixel].data) < found[pixel].nbytes:
                    raise truncated(self._part.path, 0, self.n_frames)
        return found.reshape(rows, columns, -1).transpose(2, 0, 1)


def record(shape: tuple[int, int], dtype: np.dtype, before: int, after: int) -> np.dtype:
    """Return the type of a record: header, frame, footer."""
    return np.dtype([("header", np.void, before), ("frame", dtype, shape), ("footer", np.void, after)])


def frames_in(path: Path, offset: int, record_bytes: int) -> FramesInFile:
    """Return how many whole records a file holds from ``offset`` on.

    Raises
    ------
    ExperimentError
        If it holds none, or a part of one more: an interrupted copy, or another layout.
    """
    left = path.stat().st_size - offset
    n_frames, rest = divmod(max(left, 0), record_bytes)
    if n_frames == 0:
        raise truncated(path, 0, 1)
    if rest:
        raise ExperimentError(
            f"{path}: holds {n_frames} frames of {record_bytes} bytes and {rest} bytes of another",
            "it is truncated or laid out otherwise: copy it again, or correct how it is read",
        )
    return FramesInFile(path, offset, n_frames)


def truncated(path: Path, found: int, expected: int) -> ExperimentError:
    """Return the error for a file that ends before its frames do."""
    return ExperimentError(
        f"{path}: truncated: expected {expected} frames, found {found}", "copy it again from where it was recorded"
    )
