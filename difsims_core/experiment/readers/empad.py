"""EMPAD: bare numbers (``.raw``), 128 × 128 and two more rows a frame, with the ``.xml`` that describes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree as ET

import numpy as np

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import ExperimentError
from difsims_core.experiment.readers.base import ScanReader
from difsims_core.experiment.stored.binary import BinaryFrames, frames_in, record
from difsims_core.experiment.stored.hdf5_links import beside
from difsims_core.experiment.stored.recording import Measure, Recording, ScanLayout
from difsims_core.experiment.stored.values import number

_SHAPE, _DTYPE = (128, 128), np.dtype("<f4")
_FOOTER_BYTES = 2 * 128 * 4
_RECORD_BYTES = record(_SHAPE, _DTYPE, 0, _FOOTER_BYTES).itemsize
_NAMED = re.compile(r".*_x(\d{1,6})_y(\d{1,6})\.raw", re.IGNORECASE)
_MOST_XML_BYTES = 2**22


class EmpadReader(ScanReader):
    """Files of the EMPAD, by their description or by their name."""

    file_format: ClassVar[str] = "EMPAD"
    suffixes: ClassVar[tuple[str, ...]] = (".xml", ".raw")

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it describes a raw file, or is one whose name and size say so."""
        if path.name.lower().endswith(".xml"):
            return head.lstrip().startswith(b"<") and b"raw_file" in path.read_bytes()[:_MOST_XML_BYTES]
        named = _NAMED.fullmatch(path.name)
        return bool(named) and path.stat().st_size == int(named[1]) * int(named[2]) * _RECORD_BYTES

    def beside(self, name: str, others: Sequence[str]) -> list[str]:
        """Return the raw files; the description says which."""
        return [other for other in others if name.lower().endswith(".xml") and other.lower().endswith(".raw")]

    def open(self, path: Path, reading: ReadingSpec) -> Recording:  # noqa: ARG002 it says all
        """Return the scan."""
        if path.name.lower().endswith(".raw"):
            return Recording(_frames(path), self.file_format, _layout_by_name(path.name))
        try:
            root = ET.fromstring(path.read_bytes()[:_MOST_XML_BYTES])  # noqa: S314 expat limits entities
        except ET.ParseError as error:
            raise ExperimentError(f"{path}: no XML ({error})", "it may be truncated: copy it again") from None
        name = root.find("raw_file")
        raw = beside(path, "" if name is None else name.get("filename") or name.findtext("filename") or "")
        series = number(root.findtext("scan_parameters/series_count"))
        columns, rows = number(root.findtext("pix_x")), number(root.findtext("pix_y"))
        layout = ScanLayout(int(rows), int(columns), reason=f"{path.name} says so") if rows and columns else None
        frames = _frames(raw)
        if layout is None and not series:
            layout = _layout_by_name(raw.name)
        width_per_m = number(root.findtext("iom_measurements/calibrated_pixelsize"))
        return Recording(
            frames=frames,
            file_format=self.file_format,
            layout=layout,
            detector_pixel=Measure(width_per_m, "1/m") if width_per_m else None,
            scan_step=_step(root, layout),
        )


def _frames(path: Path) -> BinaryFrames:
    return BinaryFrames([frames_in(path, 0, _RECORD_BYTES)], _SHAPE, _DTYPE, after=_FOOTER_BYTES)


def _layout_by_name(name: str) -> ScanLayout | None:
    """Return the scan that a name such as ``scan_x256_y128.raw`` tells of."""
    found = _NAMED.fullmatch(name)
    return ScanLayout(int(found[2]), int(found[1]), reason=f"the name {name} says so") if found else None


def _step(root: ET.Element, layout: ScanLayout | None) -> Measure | None:
    """Return the scan step from the field of view, of earlier descriptions or of later ones."""
    if layout is None:
        return None
    earlier = [item.text or "" for item in root.iter() if item.tag.endswith("get_full_scan_field_of_view")]
    first = number(earlier[0].strip("()[] ").partition(",")[0]) if earlier else None
    if first:
        return Measure(first / layout.nx, "m")
    view = number(root.findtext("iom_measurements/full_scan_field_of_view/x"))
    scale = number(root.findtext("iom_measurements/full_scan_field_of_view/scale_factor"))
    return Measure(view / scale / max(layout.ny, layout.nx), "m") if view and scale else None
