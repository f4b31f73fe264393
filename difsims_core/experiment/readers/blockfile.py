"""NanoMEGAS block files (``.blo``): a header, an image of the scan, then a frame of bytes for each position.

The layout is that of RosettaSciIO's ``rsciio.blockfile``, whose own reader needs scikit-image.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import ExperimentError
from difsims_core.experiment.readers.base import ScanReader
from difsims_core.experiment.stored.binary import BinaryFrames, FramesInFile, record, truncated
from difsims_core.experiment.stored.recording import Measure, Recording, ScanLayout

_HEADER = np.dtype([
    ("mark", "S6"), ("version", "<u2"), ("image_offset", "<u4"), ("frames_offset", "<u4"), ("flags", "<u4"),
    ("edge", "<u2"), ("rotation", "<u2"), ("columns", "<u2"), ("rows", "<u2"), ("scan_rotation", "<u2"),
    ("step_x", "<f8"), ("step_y", "<f8"), ("voltage", "<u4"), ("pixels_per_cm", "<u2"), ("camera_length", "<u4"),
])  # fmt: skip
_MARK = b"IMGBLO"
_BEFORE_FRAME = 6  # bytes: AA 55 and the number of the frame
_PIXELS_PER_CM = 100  # of the unit of the header
_CAMERA_LENGTHS_PER_MM = 10
_VOLTS_PER_KV = 1000
_ROTATIONS_PER_DEG = 100


class BlockfileReader(ScanReader):
    """Block files of NanoMEGAS."""

    file_format: ClassVar[str] = "NanoMEGAS block file"
    suffixes: ClassVar[tuple[str, ...]] = (".blo",)

    def recognises(self, path: Path, head: bytes) -> bool:  # noqa: ARG002 the interface
        """Return whether it begins with the mark of a block file."""
        return head.startswith(_MARK)

    def open(self, path: Path, reading: ReadingSpec) -> Recording:  # noqa: ARG002 it says all
        """Return the scan."""
        header = np.fromfile(path, _HEADER, count=1)
        if not len(header):
            raise ExperimentError(f"{path}: ends within its header", "it is truncated: copy it again")
        said = {name: header[name][0].item() for name in _HEADER.names or ()}
        edge, rows, columns = said["edge"], said["rows"], said["columns"]
        size = record((edge, edge), np.dtype("u1"), _BEFORE_FRAME, 0).itemsize
        there = (path.stat().st_size - said["frames_offset"]) // size
        if there < rows * columns:
            raise truncated(path, max(there, 0), rows * columns)
        part = FramesInFile(path, said["frames_offset"], rows * columns)
        pixels_per_cm = said["pixels_per_cm"] / _PIXELS_PER_CM
        return Recording(
            frames=BinaryFrames([part], (edge, edge), np.dtype("u1"), before=_BEFORE_FRAME),
            file_format=self.file_format,
            layout=ScanLayout(rows, columns),
            detector_pixel=Measure(1 / pixels_per_cm, "cm") if pixels_per_cm else None,
            scan_step=Measure(said["step_x"], "nm"),
            beam_energy_kv=said["voltage"] / _VOLTS_PER_KV or None,
            camera_length_mm=said["camera_length"] / _CAMERA_LENGTHS_PER_MM or None,
            scan_rotation_deg=said["scan_rotation"] / _ROTATIONS_PER_DEG or None,
        )
