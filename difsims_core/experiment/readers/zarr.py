"""Zarr groups where they lie, on disk or in an object store: HyperSpy's (``.zspy``) and any other (``.zarr``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from difsims_core.config.raw_scans.reading import ReadingSpec, StoredOrder
from difsims_core.errors import CorruptDataError, ExperimentError
from difsims_core.experiment.stored.arrays import ArrayFrames
from difsims_core.experiment.stored.hyperspy_signal import EXPERIMENTS, recording_of
from difsims_core.experiment.stored.recording import Recording
from difsims_core.messages import printable
from difsims_core.storage.zarr.foreign import ForeignArray, ForeignGroup, read_foreign_group, require_plain

SUFFIXES = (".zspy", ".zarr")


class ZarrFrames(ArrayFrames):
    """Frames of a Zarr array; only what is asked for is fetched."""

    def __init__(self, array: ForeignArray, order: StoredOrder = "scan_first") -> None:
        super().__init__(array.shape, array.dtype, (), order, array.chunks, array.url)
        self._stored = array

    def _read(self, start: int, stop: int) -> np.ndarray:
        try:
            return super()._read(start, stop)
        except CorruptDataError as error:
            raise ExperimentError(
                f"{self.source}: {error.problem}", "copy it again from where it was recorded"
            ) from None

    @contextmanager
    def _array(self) -> Iterator[Any]:
        yield self._stored.opened()


def open_zarr(url: str, reading: ReadingSpec) -> Recording:
    """Return the array that ``dataset_path`` names, or the only one that can be a scan.

    Raises
    ------
    ExperimentError
        If there is none, or there are several; the message lists them.
    """
    group = read_foreign_group(url)
    array = _chosen(url, group, reading.dataset_path)
    require_plain(array)
    folder, _, name = array.path.rpartition("/")
    if name == "data" and folder.startswith(f"{EXPERIMENTS}/"):
        attributes = partial(_attributes_below, group, folder)
        return recording_of(attributes, len(array.shape), partial(ZarrFrames, array), reading, "HyperSpy (Zarr)")
    frames = ZarrFrames(array, reading.stored_order or "scan_first")
    return Recording(frames, "Zarr", frames.layout, remarks=(f"The array {printable(array.path) or '/'} was read.",))


def _attributes_below(group: ForeignGroup, folder: str, name: str) -> Any:
    return group.attributes.get(f"{folder}/{name}", {})


def _chosen(url: str, group: ForeignGroup, wanted: str | None) -> ForeignArray:
    if wanted is not None:
        found = group.arrays.get(wanted.strip("/"))
        if found is None:
            raise ExperimentError(f"{url}: holds no array of numbers {wanted!r}", f"it holds {_listed(group.arrays)}")
        return found
    for axes in (4, 3):
        choice = {path: array for path, array in group.arrays.items() if len(array.shape) == axes}
        if len(choice) == 1:
            return next(iter(choice.values()))
        if choice:
            raise ExperimentError(
                f"{url}: holds {len(choice)} arrays that may be the scan: {_listed(choice)}", "give dataset_path"
            )
    raise ExperimentError(f"{url}: holds no array with the three or four axes of a scan", _listed(group.arrays))


def _listed(arrays: Any) -> str:
    return (
        ", ".join(f"{printable(path) or '/'} {array.shape}" for path, array in list(arrays.items())[:12]) or "nothing"
    )
