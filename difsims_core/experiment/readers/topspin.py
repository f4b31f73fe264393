"""NanoMEGAS Topspin (``.app5``): HDF5 with a group for each scan, and in it one for each pattern, named by number.

Each pattern has a description in XML: the calibration of its axes, an angle, and where the beam was.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar
from xml.etree import ElementTree as ET

import h5py
import numpy as np

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import ExperimentError
from difsims_core.experiment.readers.base import HDF5_SIGNATURE, ScanReader
from difsims_core.experiment.stored.frames import StoredFrames
from difsims_core.experiment.stored.hdf5_links import array_at, node_below, opened
from difsims_core.experiment.stored.recording import Measure, Recording, ScanLayout
from difsims_core.experiment.stored.values import number, text

_SCALE = "Calibration/X/Scale"
_POSITION = ".//Value[@Serializer='ImagePositionSerializer']"
_VOLTAGE = re.compile(r"GunHighVoltage</Name>\s*<Value[^>]*>([0-9.]{1,12})<")
_V_PER_KV = 1000


class PatternGroups(StoredFrames):
    """Patterns that are arrays of their own: ``<group>/<number>/Data``."""

    def __init__(self, path: Path, group: str, count: int) -> None:
        first = array_at(path, f"{group}/0/Data")
        if len(first.shape) != 2:
            raise ExperimentError(f"{path}: a pattern has the shape {first.shape}, expected rows and columns")
        super().__init__(count, first.shape, np.dtype(first.dtype), [path])  # type: ignore[arg-type]
        self._path, self._group = path, group

    def _read(self, start: int, stop: int) -> np.ndarray:
        with opened(self._path) as file:
            found = [node_below(file, f"{self._group}/{place}/Data") for place in range(start, stop)]
            return np.stack([_values(self._path, pattern) for pattern in found])


class TopspinReader(ScanReader):
    """Scans of Topspin."""

    file_format: ClassVar[str] = "NanoMEGAS Topspin"
    suffixes: ClassVar[tuple[str, ...]] = (".app5",)

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it is called so and is HDF5."""
        return head.startswith(HDF5_SIGNATURE) and path.name.lower().endswith(self.suffixes)

    def open(self, path: Path, reading: ReadingSpec) -> Recording:
        """Return the scan, or the one whose group ``dataset_path`` names."""
        with opened(path) as file:
            scans = _scans(file)
            name = reading.dataset_path.strip("/") if reading.dataset_path else next(iter(scans), "")
            if name not in scans or (reading.dataset_path is None and len(scans) > 1):
                listed = ", ".join(f"{scan} ({count} patterns)" for scan, count in scans.items()) or "none"
                raise ExperimentError(f"{path}: expected one scan, it holds: {listed}", "give its name as dataset_path")
            count = scans[name]
            positions = np.array([_position(file, f"{name}/{place}") for place in range(count)])
            described = _described(file, f"{name}/0")
            volts = _VOLTAGE.search(_said(file, "Metadata"))
        scale = number(described.findtext(_SCALE))
        layout, step = _raster(positions)
        return Recording(
            frames=PatternGroups(path, name, count),
            file_format=self.file_format,
            layout=layout,
            detector_pixel=Measure(scale, "rad") if scale else None,
            scan_step=Measure(step, "m") if step else None,
            beam_energy_kv=float(volts[1]) / _V_PER_KV if volts else None,
        )


def _scans(file: h5py.File) -> dict[str, int]:
    """Return the groups that hold patterns numbered from 0, at the root or one level below, with their numbers."""
    found: dict[str, int] = {}
    for name in map(str, file):
        group = node_below(file, name)
        inside = () if _is_scan(group) or not isinstance(group, h5py.Group) else group
        for path in (name, *(f"{name}/{below}" for below in inside)):
            scan = node_below(file, path)
            if _is_scan(scan):
                found[path] = len(scan)
    return found


def _is_scan(node: Any) -> bool:
    return isinstance(node, h5py.Group) and node_below(node, "0/Data") is not None


def _values(path: Path, pattern: Any) -> np.ndarray:
    if not isinstance(pattern, h5py.Dataset) or pattern.external or pattern.is_virtual:
        raise ExperimentError(f"{path}: a pattern is missing", "it may be truncated: copy it again")
    return pattern[()]


def _said(file: h5py.File, name: str) -> str:
    """Return a text of the file; empty where there is none."""
    found = node_below(file, name)
    return text(found[()]) if isinstance(found, h5py.Dataset) and not found.external else ""


def _described(file: h5py.File, name: str) -> ET.Element:
    """Return the description of a pattern; an empty one where there is none."""
    said = re.sub(r"^\s*<\?xml[^>]*\?>", "", _said(file, f"{name}/Metadata"))  # names UTF-16, but is not
    try:
        return ET.fromstring(said)  # noqa: S314 expat limits entities
    except ET.ParseError:
        return ET.Element("nothing")


def _position(file: h5py.File, name: str) -> tuple[float, float]:
    """Return where the beam was, y and x in m; NaN where nothing says it."""
    place = _described(file, name).find(_POSITION)
    y, x = (number(place.findtext(axis)) if place is not None else None for axis in "YX")
    return (np.nan, np.nan) if y is None or x is None else (y, x)


def _raster(positions: np.ndarray) -> tuple[ScanLayout | None, float | None]:
    """Return rows, columns and step of positions that run along rows; None where they do not."""
    y, x = positions.T
    if not np.isfinite(positions).all() or len(positions) < 2:
        return None, None
    step = float(np.hypot(*(positions[1] - positions[0])))
    returns = np.flatnonzero(np.abs(y - y[0]) > step / 2)
    columns = int(returns[0]) if len(returns) else len(y)
    rows = len(y) // columns
    if rows * columns != len(y):
        return None, None
    grid = x.reshape(rows, columns)
    if np.abs(grid - grid[0]).max() > step / 2:
        return None, None
    return ScanLayout(rows, columns, reason="the positions of the beam say so"), round(step, 15)
