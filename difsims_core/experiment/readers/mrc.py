"""MRC stacks (``.mrc``), of Direct Electron with the text files beside them, of FEI with an extended header.

Header: 1024 bytes, an extended one of the length it says, then frames
(https://www.ccpem.ac.uk/mrc-format/mrc2014). Its scales are those of images; patterns have theirs from the text beside
them, or from the caller.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import ExperimentError
from difsims_core.experiment.readers.base import ScanReader
from difsims_core.experiment.stored.binary import BinaryFrames, FramesInFile, truncated
from difsims_core.experiment.stored.frames import ReorderedFrames, StoredFrames
from difsims_core.experiment.stored.recording import Measure, Recording, ScanLayout
from difsims_core.experiment.stored.values import number

_HEADER_BYTES, _EXTENDED_FIELD, _MAP_FIELD, _STAMP_FIELD = 1024, 23, 208, 212
_TYPES = {0: "u1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
_BIG_ENDIAN = b"\x11\x11"
_MOVIE = "_movie.mrc"
_INFO, _COORDINATES = "_info.txt", "_scan_coordinates.csv"
_MOST_EDGE = 2**20
_V_PER_KV, _MM_PER_CM = 1000, 10


class MrcReader(ScanReader):
    """MRC stacks."""

    file_format: ClassVar[str] = "MRC"
    suffixes: ClassVar[tuple[str, ...]] = (".mrc", ".mrcs")

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it is called so, and its header is plausible."""
        if not path.name.lower().endswith(self.suffixes) or len(head) < _HEADER_BYTES:
            return False
        columns, rows, sections, mode = _words(head)[:4]
        return mode in _TYPES and all(1 <= edge <= _MOST_EDGE for edge in (columns, rows, sections))

    def beside(self, name: str, others: Sequence[str]) -> list[str]:
        """Return what Direct Electron writes beside a movie."""
        stem = _stem(name)
        return [other for other in others if stem and other in (f"{stem}{_INFO}", f"{stem}{_COORDINATES}")]

    def open(self, path: Path, reading: ReadingSpec) -> Recording:  # noqa: ARG002 arranged by others
        """Return the frames, and the scan that the text beside them tells of."""
        with path.open("rb") as stream:
            words = _words(head := stream.read(_HEADER_BYTES))
        columns, rows, sections, mode = words[:4]
        offset = _HEADER_BYTES + words[_EXTENDED_FIELD]
        dtype = np.dtype(_TYPES[mode]).newbyteorder(">" if head[_STAMP_FIELD:].startswith(_BIG_ENDIAN) else "<")
        there = max(path.stat().st_size - offset, 0) // (rows * columns * dtype.itemsize)
        if there < sections:
            raise truncated(path, there, sections)
        frames = BinaryFrames([FramesInFile(path, offset, sections)], (rows, columns), dtype)
        stem = _stem(path.name)
        info = path.with_name(f"{stem}{_INFO}")
        if not stem or not info.is_file():
            return Recording(frames, self.file_format)
        return _with_info(frames, _read_info(info), info, path.with_name(f"{stem}{_COORDINATES}"))


def _stem(name: str) -> str:
    return name[: -len(_MOVIE)] if name.lower().endswith(_MOVIE) else ""


def _words(head: bytes) -> list[int]:
    return np.frombuffer(head, ">i4" if head[_STAMP_FIELD:].startswith(_BIG_ENDIAN) else "<i4", 256).tolist()


def _read_info(path: Path) -> dict[str, str]:
    with path.open("rb") as stream:
        lines = stream.read(2**20).decode("utf-8", "replace").splitlines()
    pairs = (line.partition("=") for line in lines)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _with_info(frames: StoredFrames, said: dict[str, str], info: Path, coordinates: Path) -> Recording:
    """Return a movie of Direct Electron with what its text says; −1 there means unknown."""

    def known(key: str) -> float | None:
        found = number(said.get(key))
        return found if found is not None and found > 0 else None

    layout, remarks = None, ()
    if said.get("Scan - Enable") == "Enable":
        for key in ("Scan - Camera Frames Per Point", "Scan - Points Per Camera Frame"):
            if known(key) not in (None, 1):
                raise ExperimentError(f"{info}: {key} is {said[key]}, expected 1", "sum the frames of each point first")
        part = "ROI Size" if said.get("Scan - ROI Enable") == "Enable" else "Size"
        rows, columns = known(f"Scan - {part} Y"), known(f"Scan - {part} X")
        if said.get("Scan - Type", "Raster") != "Raster":
            frames, layout = _in_order(frames, coordinates)
            remarks = (f"Positions were visited in the order of {coordinates.name}.",)
        elif rows and columns:
            layout = ScanLayout(int(rows), int(columns), reason=f"{info.name} says so")
    width, step = known("Diffraction Pixel Size X"), known("Specimen Pixel Size X (nanometers)")
    volts, camera_length_cm = (
        known("Instrument Accelerating Voltage (V)"),
        known("Instrument Project Camera Length (centimeters)"),
    )
    return Recording(
        frames=frames,
        file_format="Direct Electron MRC",
        layout=layout,
        detector_pixel=Measure(width, "1/nm") if width else None,
        scan_step=Measure(step, "nm") if step else None,
        beam_energy_kv=volts / _V_PER_KV if volts else None,
        camera_length_mm=camera_length_cm * _MM_PER_CM if camera_length_cm else None,
        magnification=known("Instrument Project Magnification"),
        remarks=remarks,
    )


def _in_order(frames: StoredFrames, coordinates: Path) -> tuple[StoredFrames, ScanLayout]:
    """Return frames row by row that were taken at columns and rows of a table.

    Raises
    ------
    ExperimentError
        If the table is missing, or does not name each position of a rectangle once.
    """
    if not coordinates.is_file():
        raise ExperimentError(f"the scan is no raster, and {coordinates.name} is missing", "copy it beside the movie")
    try:
        columns, rows = np.loadtxt(coordinates, delimiter=",", dtype=np.int64, ndmin=2)[: frames.n_frames, :2].T
    except ValueError as error:
        raise ExperimentError(f"{coordinates}: no table of column and row ({error})") from None
    rows, columns = rows - rows.min(), columns - columns.min()
    shape = int(rows.max()) + 1, int(columns.max()) + 1
    places = rows * shape[1] + columns
    if len(places) != math.prod(shape) or len(np.unique(places)) != len(places):
        raise ExperimentError(
            f"{coordinates}: names {len(np.unique(places))} of {math.prod(shape)} positions of a rectangle, in "
            f"{len(places)} frames, expected each once",
            "scans with gaps or repeated positions are not read",
        )
    order = np.argsort(places)
    return ReorderedFrames(frames, order), ScanLayout(*shape, reason=f"{coordinates.name} names each position once")
