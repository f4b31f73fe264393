"""Any HDF5 file with an array of patterns; NeXus files say which one it is.

NeXus: ``default`` leads from the root through groups, ``signal`` to the array
(https://manual.nexusformat.org/datarules.html#find-the-plottable-data).
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import h5py

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import ExperimentError
from difsims_core.experiment.readers.base import HDF5_SIGNATURE, ScanReader
from difsims_core.experiment.stored.arrays import Hdf5Frames
from difsims_core.experiment.stored.hdf5_links import array_at, node_below, opened, the_array
from difsims_core.experiment.stored.recording import Recording
from difsims_core.experiment.stored.values import text

_MOST_LEVELS = 8


class Hdf5Reader(ScanReader):
    """HDF5 files of no format that is known."""

    file_format: ClassVar[str] = "HDF5"
    suffixes: ClassVar[tuple[str, ...]] = (".h5", ".hdf5", ".hdf", ".nxs", ".nx", ".nexus")
    general: ClassVar[bool] = True

    def recognises(self, path: Path, head: bytes) -> bool:  # noqa: ARG002 the interface
        """Return whether it is HDF5."""
        return head.startswith(HDF5_SIGNATURE)

    def open(self, path: Path, reading: ReadingSpec) -> Recording:
        """Return the array that ``dataset_path`` names, that NeXus means, or the only one with four axes."""
        name, nexus = reading.dataset_path, False
        if name is None:
            name = _plottable(path)
            nexus = name is not None
        frames = Hdf5Frames(the_array(path, name), reading.stored_order or "scan_first")
        return Recording(
            frames=frames,
            file_format="NeXus" if nexus else self.file_format,
            layout=frames.layout,
            remarks=(f"The array {frames.name} was read.",),
        )


def _plottable(path: Path) -> str | None:
    """Return the path of the array that a NeXus file is about, if it has enough axes."""
    with opened(path) as file:
        group: h5py.Group = file
        for _ in range(_MOST_LEVELS):
            name = text(group.attrs.get("default"))
            below = node_below(group, name) if name else None
            if not isinstance(below, h5py.Group):
                break
            group = below
        signal = text(group.attrs.get("signal"))
        found = f"{group.name}/{signal}" if signal else None
    try:
        return found if found and len(array_at(path, found).shape) >= 3 else None
    except ExperimentError:
        return None
