"""Bare numbers (``.raw``, ``.bin``): everything about them is given."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import ExperimentError
from difsims_core.experiment.readers.base import ScanReader
from difsims_core.experiment.stored.binary import BinaryFrames, PixelsInFile, frames_in, record
from difsims_core.experiment.stored.recording import Recording


class RawReader(ScanReader):
    """Frames of given shape and type, each with as many bytes before and after it as given."""

    file_format: ClassVar[str] = "bare numbers"
    suffixes: ClassVar[tuple[str, ...]] = (".raw", ".bin", ".dat")
    general: ClassVar[bool] = True

    def recognises(self, path: Path, head: bytes) -> bool:  # noqa: ARG002 there is no mark
        """Return whether it is called so."""
        return path.name.lower().endswith(self.suffixes)

    def open(self, path: Path, reading: ReadingSpec) -> Recording:
        """Return the frames."""
        shape = reading.detector_shape
        if shape is None or reading.data_type is None:
            raise ExperimentError(
                f"{path}: holds bare numbers, which do not say what they are",
                "give detector_shape, data_type and scan_shape, and header_bytes, frame_header_bytes or "
                "frame_footer_bytes where there are such",
            )
        dtype = np.dtype(reading.data_type).newbyteorder(">" if reading.big_endian else "<")
        before, after = reading.frame_header_bytes, reading.frame_footer_bytes
        part = frames_in(path, reading.header_bytes, record(shape, dtype, before, after).itemsize)
        if reading.stored_order != "detector_first":
            return Recording(BinaryFrames([part], shape, dtype, before=before, after=after), self.file_format)
        if before or after:
            raise ExperimentError(f"{path}: pixel by pixel there are no headers of frames", "leave them out")
        return Recording(PixelsInFile([part], shape, dtype), self.file_format)
