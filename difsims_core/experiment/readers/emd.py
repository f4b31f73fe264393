"""EMD files of the Berkeley Lab, py4DSTEM and prismatic: groups that are marked, with an array and its axes.

An axis is an array of its points, or the first two of them; ``dim1`` is the first where there is no ``dim0``
(https://emdatasets.com/format).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.experiment.readers.base import HDF5_SIGNATURE, ScanReader
from difsims_core.experiment.stored.arrays import Hdf5Frames
from difsims_core.experiment.stored.axes import Axis, scan_and_detector, stored_order
from difsims_core.experiment.stored.hdf5_links import node_below, opened, the_array
from difsims_core.experiment.stored.recording import Recording
from difsims_core.experiment.stored.values import text

_MARK = "emd_group_type"
_ROOTS = ("4DSTEM_simulation", "4DSTEM_experiment", "4DSTEM")
_MOST_LEVELS = 4


class EmdReader(ScanReader):
    """EMD files with axes."""

    file_format: ClassVar[str] = "EMD"
    suffixes: ClassVar[tuple[str, ...]] = (".emd", ".h5", ".hdf5")

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether a group near the root is marked as one of EMD."""
        if not head.startswith(HDF5_SIGNATURE):
            return False
        with opened(path) as file:
            return _is_marked(file, _MOST_LEVELS)

    def open(self, path: Path, reading: ReadingSpec) -> Recording:
        """Return the data cube, or the array that ``dataset_path`` names."""
        array = the_array(path, reading.dataset_path)
        with opened(array.path) as file:
            axes = _axes(node_below(file, array.name.rpartition("/")[0]), len(array.shape))
        order = stored_order(axes, reading)
        frames = Hdf5Frames(array, order)
        step, row_step, pixel = scan_and_detector(axes, order)
        return Recording(
            frames, self.file_format, frames.layout, detector_pixel=pixel, scan_step=step, row_step=row_step
        )


def _is_marked(group: h5py.Group, levels: int) -> bool:
    if _MARK in group.attrs:
        return True
    below = (node_below(group, name) for name in list(group)[:20]) if levels else ()
    return any(_is_marked(item, levels - 1) for item in below if isinstance(item, h5py.Group))


def _axes(group: h5py.Group, n_axes: int) -> list[Axis]:
    """Return the axes of the array of a group; one without points has no scale."""
    first = 0 if "dim0" in group else 1
    return [_axis(node_below(group, f"dim{first + index}")) for index in range(n_axes)]


def _axis(points: Any) -> Axis:
    if not isinstance(points, h5py.Dataset) or points.dtype.kind not in "iuf" or points.shape < (2,):
        return Axis(scale=0.0)
    first, second = np.ravel(points[:2]).astype(float)
    return Axis(float(second - first), text(points.attrs.get("units")))
