"""Files of Quantum Detectors' Merlin (``.mib``), with or without the ``.hdr`` beside them.

Each frame has a header of its own: text with commas, whose first fields are the number of the frame, the length of the
header, the number of chips, columns, rows, the type of the numbers and the arrangement of the chips; after ``MQ1A``
come time, exposure and bits of the counter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import ExperimentError
from difsims_core.experiment.readers.base import ScanReader
from difsims_core.experiment.stored.binary import BinaryFrames, frames_in, record
from difsims_core.experiment.stored.flyback import layout_by_exposures, layout_by_times
from difsims_core.experiment.stored.merlin_raw import PIXEL_BITS, MerlinRawFrames
from difsims_core.experiment.stored.recording import Recording, ScanLayout

_TYPES = {"U08": ">u1", "U16": ">u2", "U32": ">u4"}
_RAW = "R64"
_CHIP_EDGE = 256
_MARK = b"MQ1,"
_MOST_HEADER_BYTES = 2**16
_TURNED = "Rows of a Merlin file run upwards; patterns are turned upside down, as RosettaSciIO does."


@dataclass(frozen=True, slots=True)
class _Header:
    """The header of the first frame."""

    length: int
    n_chips: int
    rows: int
    columns: int
    kind: str
    arrangement: str
    depth: int | None

    @classmethod
    def of(cls, path: Path) -> _Header:
        """Return the header at the beginning of a file."""
        try:
            with path.open("rb") as stream:
                begin = stream.read(_MOST_HEADER_BYTES)
            length = int(begin.split(b",", 3)[2])
            fields = [field.strip().decode("ascii", "replace") for field in begin[:length].split(b",")]
            more = fields.index("MQ1A") if "MQ1A" in fields else None
            return cls(
                length=length,
                n_chips=int(fields[3]),
                rows=int(fields[5]),
                columns=int(fields[4]),
                kind=fields[6],
                arrangement=fields[7].removesuffix("G"),
                depth=int(fields[more + 3]) if more is not None else None,
            )
        except (ValueError, IndexError):
            raise ExperimentError(
                f"{path}: no header of a Merlin frame", "it may be truncated: copy it again"
            ) from None


class MibReader(ScanReader):
    """Merlin's files, processed or raw."""

    file_format: ClassVar[str] = "Merlin MIB"
    suffixes: ClassVar[tuple[str, ...]] = (".mib", ".hdr")

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it begins with the mark of a Merlin frame, or is the text beside one."""
        return head.startswith(_MARK) or (path.suffix == ".hdr" and head.startswith(b"HDR"))

    def beside(self, name: str, others: Sequence[str]) -> list[str]:
        """Return the other of ``.mib`` and ``.hdr``."""
        stem = name.rpartition(".")[0]
        return [other for other in others if other in (f"{stem}.hdr", f"{stem}.mib")]

    def open(self, path: Path, reading: ReadingSpec) -> Recording:
        """Return frames, and the scan by the ``.hdr`` or by the rhythm of the frames."""
        path = path.with_suffix(".mib") if path.suffix == ".hdr" else path
        header = _Header.of(path)
        notes = _notes_beside(path)
        frames, headers = _frames(path, header, notes)
        layout = None
        if reading.scan_shape is None:
            layout = _layout_by_notes(path, notes) or _layout_by_rhythm(headers)
        return Recording(frames, self.file_format, layout, upwards=True, remarks=(_TURNED,))


def _frames(path: Path, header: _Header, notes: dict[str, str]) -> tuple[BinaryFrames | MerlinRawFrames, BinaryFrames]:
    """Return the frames, and what reads their headers."""
    if header.kind in _TYPES:
        dtype, shape = np.dtype(_TYPES[header.kind]), (header.rows, header.columns)
        part = frames_in(path, 0, record(shape, dtype, header.length, 0).itemsize)
        frames = BinaryFrames([part], shape, dtype, before=header.length)
        return frames, frames
    depth = header.depth or _whole(notes.get("Counter Depth (number)"))
    if header.kind != _RAW or depth not in PIXEL_BITS:
        raise ExperimentError(
            f"{path}: holds numbers of the type {header.kind!r} with counters of {depth} bits, expected "
            f"{', '.join(_TYPES)}, or {_RAW} with {', '.join(map(str, PIXEL_BITS))}"
        )
    columns = header.columns // max(header.n_chips, 1)
    if depth == 24 and columns == 2 * _CHIP_EDGE:  # counts the columns of both halves of the counter
        columns = _CHIP_EDGE
    if (header.n_chips, header.arrangement) not in ((1, "1x1"), (4, "2x2")):
        raise ExperimentError(
            f"{path}: raw frames of {header.n_chips} chips arranged {header.arrangement}, expected one chip or 2x2",
            "export them processed from Merlin's software",
        )
    n_bytes = header.n_chips * header.rows * columns * PIXEL_BITS[depth] // 8
    part = frames_in(path, 0, header.length + n_bytes)
    packed = BinaryFrames([part], (1, n_bytes), np.dtype(np.uint8), before=header.length)
    return MerlinRawFrames(packed, (header.rows, columns), header.n_chips, depth), packed


def _notes_beside(path: Path) -> dict[str, str]:
    """Return what the ``.hdr`` says, by key; nothing where there is none."""
    beside = path.with_suffix(".hdr")
    if not beside.is_file():
        return {}
    with beside.open("rb") as stream:
        lines = stream.read(65_536).decode("utf-8", "replace").splitlines()
    pairs = (line.partition("\t") for line in lines)
    return {key.rstrip(":").strip(): value.strip() for key, _, value in pairs}


def _layout_by_notes(path: Path, notes: dict[str, str]) -> ScanLayout | None:
    """Return the scan that the ``.hdr`` tells of: columns and rows, or frames for each trigger of a row."""
    name = path.with_suffix(".hdr").name
    columns, rows = _whole(notes.get("ScanX")), _whole(notes.get("ScanY"))
    if columns and rows:
        return ScanLayout(rows, columns, reason=f"{name} says so")
    total, a_row = _whole(notes.get("Frames in Acquisition (Number)")), _whole(notes.get("Frames per Trigger (Number)"))
    if total and a_row and a_row > 1 and total > a_row and total % a_row == 0:
        return ScanLayout(total // a_row, a_row, reason=f"{name} has {total} frames, {a_row} for each trigger of a row")
    return None


def _layout_by_rhythm(headers: BinaryFrames) -> ScanLayout | None:
    """Return the scan whose rows show in exposures or times of the frames."""
    texts = [bytes(row).split(b",") for row in headers.headers()]
    try:
        exposures = np.array([float(fields[10]) for fields in texts])
        times = np.array([_nanoseconds(fields[9]) for fields in texts])
    except (ValueError, IndexError):
        return None
    return layout_by_exposures(exposures) or layout_by_times(times)


def _nanoseconds(text: bytes) -> int:
    """Return a time such as ``2021-05-07 18:51:10.905800`` as nanoseconds since 1970."""
    return int(np.datetime64(text.decode("ascii").strip(), "ns").astype(np.int64))


def _whole(text: str | None) -> int | None:
    """Return a text as a whole number; None where it is none."""
    try:
        return int(text) if text else None
    except ValueError:
        return None
