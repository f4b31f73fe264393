"""One array in NumPy's format (``.npy``)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import ExperimentError, InputError
from difsims_core.experiment.readers.base import ScanReader
from difsims_core.experiment.stored.arrays import scan_of, split_axes
from difsims_core.experiment.stored.binary import BinaryFrames, FramesInFile, PixelsInFile
from difsims_core.experiment.stored.recording import Recording
from difsims_core.storage.npz.npy import read_header


class NpyReader(ScanReader):
    """NumPy's arrays; Python objects are refused."""

    file_format: ClassVar[str] = "NumPy array"
    suffixes: ClassVar[tuple[str, ...]] = (".npy",)

    def recognises(self, path: Path, head: bytes) -> bool:  # noqa: ARG002 the interface
        """Return whether it begins as NumPy's arrays do."""
        return head.startswith(b"\x93NUMPY")

    def open(self, path: Path, reading: ReadingSpec) -> Recording:
        """Return the array."""
        size = path.stat().st_size
        try:
            with path.open("rb") as stream:
                shape, dtype, fortran_order, left = read_header(stream, size)
        except InputError as error:
            raise ExperimentError(f"{path}: {error.problem}", error.remedy) from None
        expected = math.prod(shape) * dtype.itemsize
        if left != expected:
            raise ExperimentError(
                f"{path}: expected {expected} bytes of {shape} {dtype}, found {left}", "copy it again"
            )
        if fortran_order:
            raise ExperimentError(
                f"{path}: its first axis runs fastest (Fortran order), so that no frame lies in one piece",
                "save it with numpy.ascontiguousarray",
            )
        order = reading.stored_order or "scan_first"
        scan, detector = split_axes(shape, order)
        n_frames = math.prod(scan)
        frames = (BinaryFrames if order == "scan_first" else PixelsInFile)(
            [FramesInFile(path, size - left, n_frames)], detector, dtype
        )
        return Recording(frames, self.file_format, scan_of(scan))
