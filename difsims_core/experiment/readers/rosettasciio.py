"""Formats that RosettaSciIO reads lazily as they are: Digital Micrograph, Panta Rhei.

Neither evaluates text or unpickles: Panta Rhei's files of before 24.03, whose metadata are pickled, are read
without them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar
from zipfile import is_zipfile

import dask.array as da

from difsims_core.config.raw_scans.reading import ReadingSpec, StoredOrder
from difsims_core.errors import ExperimentError
from difsims_core.experiment.readers.base import ScanReader
from difsims_core.experiment.stored.arrays import ArrayFrames
from difsims_core.experiment.stored.axes import Axis, scan_and_detector, stored_order
from difsims_core.experiment.stored.recording import Recording
from difsims_core.experiment.stored.values import number, text, truth


class LazyFrames(ArrayFrames):
    """Frames of a lazy array; only what is asked for is computed, in the thread that asks."""

    def __init__(self, array: da.Array, files: Sequence[Path], order: StoredOrder) -> None:
        super().__init__(tuple(map(int, array.shape)), array.dtype, files, order)
        self._lazy = array

    @contextmanager
    def _array(self) -> Iterator[Any]:
        yield _Computed(self._lazy)


class _Computed:
    def __init__(self, array: da.Array) -> None:
        self._lazy = array

    def __getitem__(self, wanted: tuple[slice, ...]) -> Any:
        return self._lazy[wanted].compute(scheduler="synchronous")


class _RosettaReader(ScanReader):
    """A format by the name of its module in ``rsciio``, and whether that tells the axes of the scan by the file."""

    module: ClassVar[str]
    tells_axes: ClassVar[bool] = True

    def open(self, path: Path, reading: ReadingSpec) -> Recording:
        """Return the only signal with three or four axes, or the only one."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            signals = import_module(f"rsciio.{self.module}").file_reader(str(path), lazy=True)
        scans = [signal for signal in signals if signal["data"].ndim in (3, 4)]
        if len(scans or signals) != 1:
            shapes = ", ".join(str(signal["data"].shape) for signal in signals) or "nothing"
            raise ExperimentError(f"{path}: expected one array with three or four axes, found {shapes}")
        (signal,) = scans or signals
        data = signal["data"] if isinstance(signal["data"], da.Array) else da.from_array(signal["data"])
        axes = [_axis(axis, self.tells_axes) for axis in signal["axes"]]
        if len(axes) != data.ndim:
            axes = [Axis(0.0)] * data.ndim
        order = stored_order(axes, reading)
        frames = LazyFrames(data, [path], order)
        step, row_step, pixel = scan_and_detector(axes, order)
        microscope = _below(signal.get("metadata", {}), "Acquisition_instrument", "TEM")
        return Recording(
            frames=frames,
            file_format=self.file_format,
            layout=frames.layout,
            detector_pixel=pixel,
            scan_step=step,
            row_step=row_step,
            beam_energy_kv=number(microscope.get("beam_energy")),
            magnification=number(microscope.get("magnification")),
        )


class DigitalMicrographReader(_RosettaReader):
    """Gatan Digital Micrograph."""

    file_format: ClassVar[str] = "Digital Micrograph"
    suffixes: ClassVar[tuple[str, ...]] = (".dm3", ".dm4")
    module: ClassVar[str] = "digitalmicrograph"
    tells_axes: ClassVar[bool] = False  # it takes the last two for those of the detector, whatever their units

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it is called so and of version 3 or 4."""
        return path.name.lower().endswith(self.suffixes) and head[:4] in (b"\0\0\0\3", b"\0\0\0\4")


class PantaRheiReader(_RosettaReader):
    """CEOS Panta Rhei."""

    file_format: ClassVar[str] = "Panta Rhei"
    suffixes: ClassVar[tuple[str, ...]] = (".prz",)
    module: ClassVar[str] = "pantarhei"

    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether it is called so and is a zip file."""
        return path.name.lower().endswith(self.suffixes) and head.startswith(b"PK") and is_zipfile(path)


def _axis(said: Mapping[str, Any], tells_axes: bool) -> Axis:
    of_scan = truth(said.get("navigate")) if tells_axes else None
    return Axis(number(said.get("scale")) or 0.0, text(said.get("units")), of_scan)


def _below(said: Any, *names: str) -> Mapping[str, Any]:
    for name in names:
        said = said.get(name, {}) if isinstance(said, Mapping) else {}
    return said if isinstance(said, Mapping) else {}
