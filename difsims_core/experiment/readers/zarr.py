"""Zarr groups where they lie, on disk or in an object store: HyperSpy's (``.zspy``) and any other (``.zarr``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from difsims_core.config.raw_scans.reading import ReadingSpec, StoredOrder
from difsims_core.errors import CorruptDataError, ExperimentError
from difsims_core.experiment.stored.arrays import ArrayFrames
from difsims_core.experiment.stored.hyperspy_signal import EXPERIMENTS, recording_of
from difsims_core.experiment.stored.recording import Recording
from difsims_core.experiment.stored.stamps import GroupStamp
from difsims_core.messages import printable
from difsims_core.storage.zarr.foreign import ForeignArray, ForeignGroup, read_foreign_group, require_plain

SUFFIXES = (".zspy", ".zarr")


class ZarrFrames(ArrayFrames):
    """Frames of a Zarr array; only what is asked for is fetched."""

    def __init__(self, array: ForeignArray, group: GroupStamp, order: StoredOrder = "scan_first") -> None:
        super().__init__(array.shape, array.dtype, (), order, array.chunks, array.url)
        self._stored, self.group = array, group

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
        If there is none, or there are several; the message lists them. If chunks are missing, unless they may.
    """
    group = read_foreign_group(url)
    array = _chosen(url, group, reading.dataset_path)
    require_plain(array)
    stamp = GroupStamp.of(url, group.objects.values())
    filled = _filled(url, group, array, reading)
    folder, _, name = array.path.rpartition("/")
    if name == "data" and folder.startswith(f"{EXPERIMENTS}/"):
        attributes, frames_in = partial(_attributes_below, group, folder), partial(ZarrFrames, array, stamp)
        found = recording_of(attributes, len(array.shape), frames_in, reading, "HyperSpy (Zarr)")
        return replace(found, remarks=(*found.remarks, *filled))
    frames = ZarrFrames(array, stamp, reading.stored_order or "scan_first")
    remark = f"The array {printable(array.path) or '/'} was read."
    return Recording(frames, "Zarr", frames.layout, remarks=(remark, *filled))


def _filled(url: str, group: ForeignGroup, array: ForeignArray, reading: ReadingSpec) -> tuple[str, ...]:
    """Return a remark on chunks that are missing and may be, or refuse to read the array without them."""
    missing, total = group.missing_chunks(array)
    if not missing:
        return ()
    if reading.missing_chunks == "refuse":
        raise ExperimentError(
            f"{url}: is not fully written: {missing} of {total} chunks of {printable(array.path) or '/'} are missing",
            "wait until it is written, or copy it again; if whoever wrote it leaves out chunks without counts, set "
            "reading.missing_chunks: fill",
        )
    return (f"{missing} of {total} chunks are missing, and read as holding no counts (missing_chunks: fill).",)


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
