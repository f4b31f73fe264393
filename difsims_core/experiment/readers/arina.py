"""DECTRIS Arina (``…_master.h5``): frames in ``…_data_000001.h5`` and so on, the scan in ``….h5``.

Frames keep the type that they are stored in; RosettaSciIO reads them all at once and cuts 32 bits to 16.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import ExperimentError
from difsims_core.experiment.readers.base import HDF5_SIGNATURE, ScanReader
from difsims_core.experiment.stored.arrays import Hdf5Frames
from difsims_core.experiment.stored.frames import JoinedFrames
from difsims_core.experiment.stored.hdf5_links import array_at, attributes_below, node_below, opened
from difsims_core.experiment.stored.recording import Measure, Recording, ScanLayout
from difsims_core.experiment.stored.values import number

_DATA = "entry/data"
_DETECTOR = "entry/instrument/detector/detectorSpecific"
_MASTER = "_master.h5"
_PART = re.compile(r".+_data_\d{6}\.h5", re.IGNORECASE)
_VOLTS_PER_KV, _MM_PER_M = 1000, 1000


class ArinaReader(ScanReader):
    """DECTRIS' files for Arina and its relatives."""

    file_format: ClassVar[str] = "DECTRIS Arina"
    suffixes: ClassVar[tuple[str, ...]] = (_MASTER,)

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it is a master file."""
        if not head.startswith(HDF5_SIGNATURE) or not path.name.lower().endswith(_MASTER):
            return False
        with opened(path) as file:
            return isinstance(node_below(file, _DATA), h5py.Group)

    def beside(self, name: str, others: Sequence[str]) -> list[str]:
        """Return the files of the frames and that of the scan."""
        stem = name[: -len(_MASTER)]
        return [other for other in others if other == f"{stem}.h5" or other.startswith(f"{stem}_data_")]

    def is_part(self, name: str) -> bool:
        """Return whether it holds frames of a master file."""
        return _PART.fullmatch(name) is not None

    def open(self, path: Path, reading: ReadingSpec) -> Recording:  # noqa: ARG002 it says all
        """Return the frames of all data files."""
        with opened(path) as file:
            names = sorted(node_below(file, _DATA))
            specific = node_below(file, _DETECTOR)
            energy_ev = number(specific["photon_energy"][()]) if specific and "photon_energy" in specific else None
            remarks = _mask_remark(specific)
        if not names:
            raise ExperimentError(f"{path}: names no data files", "it is truncated: copy it again")
        parts = [Hdf5Frames(array_at(path, f"{_DATA}/{name}")) for name in names]
        said = _scan_said(path)
        volts = number(said.get("High Tension")) or energy_ev
        step = number(said.get("Pixel Size"))
        camera_length_m = number(said.get("Camera Length"))
        return Recording(
            frames=parts[0] if len(parts) == 1 else JoinedFrames(parts),
            file_format=self.file_format,
            layout=_layout(said, sum(part.n_frames for part in parts)),
            scan_step=Measure(step, "nm") if step else None,
            beam_energy_kv=volts / _VOLTS_PER_KV if volts else None,
            camera_length_mm=camera_length_m * _MM_PER_M if camera_length_m else None,
            magnification=number(said.get("Magnification")),
            remarks=remarks,
        )


def _mask_remark(specific: Any) -> tuple[str, ...]:
    """Return a remark where the detector marks bad pixels."""
    if specific is None or "pixel_mask" not in specific:
        return ()
    bad = int(np.count_nonzero(specific["pixel_mask"][()]))
    return (f"The detector marks {bad} pixels as bad.",) if bad else ()


def _scan_said(path: Path) -> dict[str, object]:
    """Return what the file of the scan says, if it is there."""
    beside = path.with_name(f"{path.name[: -len(_MASTER)]}.h5")
    if not beside.is_file():
        return {}
    with opened(beside) as file:
        return dict(attributes_below(file, "", "STEM Metadata"))


def _layout(said: dict[str, object], n_frames: int) -> ScanLayout | None:
    rows, columns = number(said.get("NumPixelsY")), number(said.get("NumPixelsX"))
    if not rows or not columns:
        return None
    first = int(number(said.get("NumPixelsPrescan")) or 0)
    return ScanLayout(
        int(rows),
        int(columns),
        first if rows * columns + first <= n_frames else 0,
        reason="STEM Metadata beside it say so",
    )
