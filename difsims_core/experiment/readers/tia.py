"""Series of TIA (``.ser``): a header, the places of all elements, then for each its own header and its frame.

The layout is that of RosettaSciIO's ``rsciio.tia``, which reads the whole series at once. An ``.emi`` stands for the
series beside it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, ClassVar

import numpy as np

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import ExperimentError
from difsims_core.experiment.readers.base import ScanReader
from difsims_core.experiment.stored.binary import BinaryFrames, FramesInFile, truncated
from difsims_core.experiment.stored.recording import Measure, Recording, ScanLayout

_MARK = b"II\x97\x01"
_WIDE_OFFSETS = 0x220  # from this version on, places are written in 8 bytes
_IMAGES = 0x4122
_ELEMENT = np.dtype([
    ("offset_x", "<f8"), ("delta_x", "<f8"), ("element_x", "<i4"), ("offset_y", "<f8"), ("delta_y", "<f8"),
    ("element_y", "<i4"), ("type", "<u2"), ("columns", "<u4"), ("rows", "<u4"),
])  # fmt: skip
_TYPES = {1: "<u1", 2: "<u2", 3: "<u4", 4: "<i1", 5: "<i2", 6: "<i4", 7: "<f4", 8: "<f8"}
_MOST_DIMENSIONS, _LONGEST_TEXT = 8, 2**16


class TiaReader(ScanReader):
    """Series of TIA."""

    file_format: ClassVar[str] = "TIA series"
    suffixes: ClassVar[tuple[str, ...]] = (".ser", ".emi")

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it begins as a series, or is called as what stands for one."""
        return head.startswith(_MARK) or path.name.lower().endswith(".emi")

    def beside(self, name: str, others: Sequence[str]) -> list[str]:
        """Return the series that an ``.emi`` stands for."""
        stem = name[: -len(".emi")]
        return [
            other
            for other in others
            if name.endswith(".emi") and other.startswith(f"{stem}_") and other.endswith(".ser")
        ]

    def open(self, path: Path, reading: ReadingSpec) -> Recording:  # noqa: ARG002 arranged by others
        """Return the frames that were taken, and the scan where the series has two dimensions."""
        if path.name.lower().endswith(".emi"):
            path = self._series_of(path)
        with path.open("rb") as stream:
            kind, taken, version, edges = _header(stream, path)
            places = np.fromfile(stream, "<u8" if version >= _WIDE_OFFSETS else "<u4", taken).astype(np.int64)
            if kind != _IMAGES or taken < 1:
                raise ExperimentError(f"{path}: holds {taken} elements of the kind {kind:#x}, expected images")
            if len(places) < taken:
                raise truncated(path, 0, taken)
            stream.seek(int(places[0]))
            said = dict(zip(_ELEMENT.names or (), np.fromfile(stream, _ELEMENT, 1)[0].tolist(), strict=True))
        shape, dtype = (said["rows"], said["columns"]), np.dtype(_TYPES[said["type"]])
        size = shape[0] * shape[1] * dtype.itemsize
        strides = np.unique(np.diff(places)) if taken > 1 else np.array([_ELEMENT.itemsize + size])
        if len(strides) != 1 or strides[0] < _ELEMENT.itemsize + size:
            raise ExperimentError(f"{path}: its frames do not follow each other evenly", "export it as .hspy")
        before = int(strides[0]) - size  # what follows a frame counts as the beginning of the next
        offset = int(places[0]) + _ELEMENT.itemsize - before
        if path.stat().st_size < offset + taken * int(strides[0]):
            raise truncated(path, (path.stat().st_size - offset) // int(strides[0]), taken)
        width = abs(said["delta_x"])
        return Recording(
            frames=BinaryFrames([FramesInFile(path, offset, taken)], shape, dtype, before=before),
            file_format=self.file_format,
            layout=ScanLayout(edges[1], edges[0]) if len(edges) == 2 else None,
            detector_pixel=Measure(width, "1/m") if width > 1 else None,  # in m, it is that of an image
            upwards=True,
            remarks=("Rows of a TIA series run upwards; patterns are turned upside down, as RosettaSciIO does.",),
        )

    def _series_of(self, path: Path) -> Path:
        found = self.beside(path.name, [item.name for item in path.parent.iterdir()])
        if len(found) != 1:
            raise ExperimentError(f"{path}: stands for {len(found)} series beside it", "name the .ser itself")
        return path.with_name(found[0])


def _header(stream: BinaryIO, path: Path) -> tuple[int, int, int, list[int]]:
    """Return kind and number of elements, version and edges of the scan; the stream is then at the places."""
    try:
        _, _, version, kind, _, _, taken = struct.unpack("<HHHIIII", stream.read(22))
        wide = version >= _WIDE_OFFSETS
        (places,) = struct.unpack("<Q" if wide else "<I", stream.read(8 if wide else 4))
        (n_dimensions,) = struct.unpack("<I", stream.read(4))
        edges = []
        for _ in range(min(n_dimensions, _MOST_DIMENSIONS)):
            edges.append(struct.unpack("<IddI", stream.read(24))[0])
            for _ in ("description", "unit"):
                stream.seek(min(struct.unpack("<I", stream.read(4))[0], _LONGEST_TEXT), 1)
    except struct.error:
        raise ExperimentError(f"{path}: ends within its header", "it is truncated: copy it again") from None
    stream.seek(places)
    return kind, taken, version, edges
