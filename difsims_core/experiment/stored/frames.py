"""Frames in the order of their file, read in runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from difsims_core.errors import ExperimentError
from difsims_core.experiment.stored.stamps import FileStamp


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
    """

    run_frames = 1

    def __init__(self, n_frames: int, frame_shape: tuple[int, int], dtype: np.dtype, files: Iterable[str | Path]):
        if n_frames < 1 or min(frame_shape) < 1:
            raise ExperimentError(f"holds {n_frames} frames of {frame_shape[0]} × {frame_shape[1]} pixels, no scan")
        if dtype.kind not in "iufb":
            raise ExperimentError(f"holds numbers of the type {dtype}, expected counts: whole or real numbers")
        self.n_frames, self.frame_shape = n_frames, frame_shape
        self.dtype = np.dtype(np.uint8) if dtype.kind == "b" else dtype.newbyteorder("=")
        self._stamps = tuple(FileStamp.of(path) for path in files)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return the frames ``start:stop``, (stop − start, rows, columns), of ``dtype``.

        Raises
        ------
        ExperimentError
            If a file was changed since it was opened, or cannot be read.
        """
        for stamp in self._stamps:
            stamp.require_unchanged()
        found = np.array(self._read(start, stop), dtype=self.dtype, order="C", copy=None)
        for stamp in self._stamps:
            stamp.require_unchanged()
        if found.shape != (stop - start, *self.frame_shape):
            raise ExperimentError(f"frames {start}:{stop}: expected {self.frame_shape}, found {found.shape[1:]}")
        return found

    @abstractmethod
    def _read(self, start: int, stop: int) -> np.ndarray:
        """Return frames of any byte order."""
