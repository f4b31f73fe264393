"""Streams of TVIPS cameras (``_000.tvips`` and the files that continue it).

A header, then records of frame header and frame; further files hold records alone. Frame headers number the positions
of the scan rotator, 0 outside a scan. (As RosettaSciIO's ``rsciio.tvips`` has it.)
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import ExperimentError
from difsims_core.experiment.readers.base import ScanReader
from difsims_core.experiment.stored.binary import BinaryFrames, frames_in, record
from difsims_core.experiment.stored.recording import Recording, ScanLayout

_HEADER = np.dtype([
    ("length", "<u4"), ("version", "<u4"), ("columns", "<u4"), ("rows", "<u4"), ("bits", "<u4"), ("offset_x", "<u4"),
    ("offset_y", "<u4"), ("binning_x", "<u4"), ("binning_y", "<u4"), ("pixel_nm", "<u4"), ("voltage_kv", "<u4"),
    ("magnification", "<u4"), ("frame_header", "<u4"),
])  # fmt: skip
_FRAME_HEADER = {1: 12}  # bytes, by version; later ones say it
_ROTATOR = slice(48, 52)  # bytes of a frame header
_FIRST = re.compile(r"(.+_)000\.tvips", re.IGNORECASE)
_PART = re.compile(r".+_\d{3}\.tvips", re.IGNORECASE)
_BITS = (8, 16, 32)


class TvipsReader(ScanReader):
    """Streams of TVIPS cameras."""

    file_format: ClassVar[str] = "TVIPS"
    suffixes: ClassVar[tuple[str, ...]] = (".tvips",)

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it is called so and its header is plausible."""
        if not path.name.lower().endswith(self.suffixes) or len(head) < _HEADER.itemsize:
            return False
        return not _FIRST.fullmatch(path.name) or int(np.frombuffer(head, _HEADER, count=1)["version"][0]) in (1, 2)

    def beside(self, name: str, others: Sequence[str]) -> list[str]:
        """Return the files that continue the first."""
        begin = _FIRST.fullmatch(name)
        further = re.compile(re.escape(begin[1]) + r"\d{3}\.tvips", re.IGNORECASE) if begin else None
        return sorted(other for other in others if further and further.fullmatch(other) and other != name)

    def is_part(self, name: str) -> bool:
        """Return whether it continues another file."""
        return _PART.fullmatch(name) is not None and not _FIRST.fullmatch(name)

    def open(self, path: Path, reading: ReadingSpec) -> Recording:
        """Return the frames of all files, and the scan by the rotator where it is square."""
        if not _FIRST.fullmatch(path.name):
            raise ExperimentError(f"{path}: expected the first file of a stream, …_000.tvips", "name that one")
        said = {
            name: int(value) for name, value in zip(_HEADER.names or (), np.fromfile(path, _HEADER, 1)[0], strict=True)
        }
        if said["bits"] not in _BITS:
            raise ExperimentError(f"{path}: has {said['bits']} bits a pixel, expected one of {_BITS}")
        shape, dtype = (said["rows"], said["columns"]), np.dtype(f"<u{said['bits'] // 8}")
        before = _FRAME_HEADER.get(said["version"], said["frame_header"])
        size = record(shape, dtype, before, 0).itemsize
        files = [
            path,
            *(path.with_name(name) for name in self.beside(path.name, [item.name for item in path.parent.iterdir()])),
        ]
        frames = BinaryFrames(
            [frames_in(file, said["length"] if file == path else 0, size) for file in files],
            shape,
            dtype,
            before=before,
        )
        rotator = reading.scan_shape is None and before >= _ROTATOR.stop
        return Recording(
            frames=frames,
            file_format=self.file_format,
            layout=_layout_by_rotator(frames) if rotator else None,
            beam_energy_kv=said["voltage_kv"] or None,
            camera_length_mm=said["magnification"] or None,
            magnification=said["magnification"] or None,
            remarks=(f"The stream lies in {len(files)} files.",) if len(files) > 1 else (),
        )


def _layout_by_rotator(frames: BinaryFrames) -> ScanLayout | None:
    """Return the square scan whose positions the rotator numbers without a gap; None where it does not."""
    numbers = np.ascontiguousarray(frames.headers()[:, _ROTATOR]).view("<u4")[:, 0].astype(np.int64)
    count = int(numbers.max())
    edge = math.isqrt(count)
    first = int(np.argmax(numbers == 1))
    if count < 1 or edge * edge != count or not np.array_equal(numbers[first : first + count], np.arange(1, count + 1)):
        return None
    return ScanLayout(edge, edge, first, reason=f"inferred from the scan rotator, which counts to {count}, {edge}²")
