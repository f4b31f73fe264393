"""HyperSpy's HDF5 files (``.hspy``): ``Experiments/<title>/data`` with a group for each axis.

Models, markers and further metadata of the file are not looked at.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import ClassVar

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.experiment.readers.base import HDF5_SIGNATURE, ScanReader
from difsims_core.experiment.stored.arrays import Hdf5Frames
from difsims_core.experiment.stored.hdf5_links import attributes_below, opened, the_array
from difsims_core.experiment.stored.hyperspy_signal import EXPERIMENTS, recording_of
from difsims_core.experiment.stored.recording import Recording


class HyperspyReader(ScanReader):
    """HyperSpy's HDF5 files."""

    file_format: ClassVar[str] = "HyperSpy (HDF5)"
    suffixes: ClassVar[tuple[str, ...]] = (".hspy",)

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether there are experiments."""
        if not head.startswith(HDF5_SIGNATURE):
            return False
        with opened(path) as file:
            return EXPERIMENTS in file

    def open(self, path: Path, reading: ReadingSpec) -> Recording:
        """Return the signal, or the one that ``dataset_path`` names."""
        array = the_array(path, reading.dataset_path, lambda name: name.endswith("/data"))
        with opened(path) as file:
            attributes = partial(attributes_below, file, array.name.rpartition("/")[0])
            return recording_of(attributes, len(array.shape), partial(Hdf5Frames, array), reading, self.file_format)
