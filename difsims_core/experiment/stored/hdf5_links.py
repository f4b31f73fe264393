"""Arrays of an HDF5 file by their paths; its links are followed by hand.

HDF5 can be told to fetch an array from any file of the machine. Here a link leads to a file in the same folder or
nowhere: a scan that somebody uploads must not show what else the reader may read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401 registers the filters of detectors: bitshuffle, LZ4, Zstandard

from difsims_core.errors import ExperimentError
from difsims_core.messages import first_line, printable

_MOST_LINKS = 8
_MOST_SHOWN = 12


@dataclass(frozen=True, slots=True)
class StoredArray:
    """An array of numbers, by file and path, with no link on the way; ``missing`` of ``n_chunks`` are not written."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: str
    chunks: tuple[int, ...] | None
    missing: int
    n_chunks: int

    def require_written(self) -> None:
        """Refuse an array of which a part was never written, and would read as zeros.

        Raises
        ------
        ExperimentError
            If it is one.
        """
        if self.missing:
            raise ExperimentError(
                f"{self.path}: is not fully written: {self.missing} of {self.n_chunks} chunks of "
                f"{printable(self.name)} are missing",
                "wait until it is written, or copy it again; of a recording that was interrupted, save the rows that "
                "are whole",
            )


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Yield an HDF5 file, read-only.

    Raises
    ------
    ExperimentError
        If it is none, or damaged.
    """
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ExperimentError(
            f"{path}: no readable HDF5 file ({first_line(error)})",
            "it may be truncated, copy it again, or still being written, wait for that",
        ) from None
    with file:
        yield file


def array_at(path: Path, name: str, links_left: int = _MOST_LINKS) -> StoredArray:
    """Return the array at a path of a file.

    Raises
    ------
    ExperimentError
        If there is none, or a link on the way leads out of the folder of the file.
    """
    with opened(path) as file:
        found: Any = file["/"]
        parts = [part for part in name.split("/") if part]
        for number, part in enumerate(parts, start=1):
            link: Any = found.get(part, getlink=True) if isinstance(found, h5py.Group) else None
            if link is None:
                raise _nothing(file, path, name)
            if isinstance(link, h5py.HardLink):
                found = found[part]
                continue
            if links_left == 0:
                raise ExperimentError(f"{path}: {printable(name)} leads through more than {_MOST_LINKS} links")
            rest = "/".join(parts[number:])
            if isinstance(link, h5py.ExternalLink):
                return array_at(beside(path, link.filename), f"{link.path}/{rest}", links_left - 1)
            target = link.path if link.path.startswith("/") else f"{found.name}/{link.path}"
            return array_at(path, f"{target}/{rest}", links_left - 1)
        if not isinstance(found, h5py.Dataset):
            raise _nothing(file, path, name)
        _require_own(path, found, links_left)
        return _described(path, found)


def arrays_in(path: Path) -> list[StoredArray]:
    """Return the arrays of numbers with three axes or more that a file holds, itself or by a link, largest first."""
    names: list[str] = []
    linked: list[str] = []

    def look(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim >= 3 and item.dtype.kind in "iufb":
            names.append(name)

    def look_at_link(name: str, link: object) -> None:
        if isinstance(link, h5py.ExternalLink):
            linked.append(name)

    with opened(path) as file:
        file.visititems(look)
        file.visititems_links(look_at_link)
        found = [_described(path, file[name]) for name in names]
    for name in linked:
        try:
            array = array_at(path, name)
        except ExperimentError:  # a link to something else: the reading that was asked for says so
            continue
        if len(array.shape) >= 3 and array.dtype[1] in "iufb":
            found.append(array)
    return sorted(found, key=lambda array: -math.prod(array.shape))


def beside(path: Path, name: str) -> Path:
    """Return the file that a name in a file stands for: one in the same folder.

    Raises
    ------
    ExperimentError
        If it would lie elsewhere, or is missing.
    """
    other = path.parent / name
    if "/" in name or "\\" in name or name in ("", ".", "..") or "\0" in name:
        raise ExperimentError(
            f"{path}: leads to {printable(name)!r}, expected a file beside it", "copy both into one folder"
        )
    if not other.is_file():
        raise ExperimentError(f"{path}: {printable(name)!r} is missing, which holds its frames", "copy it beside it")
    return other


def the_array(path: Path, name: str | None, is_meant: Callable[[str], bool] = lambda _: True) -> StoredArray:
    """Return the array of patterns of a file: the one that was asked for, or the only one that it can be.

    Parameters
    ----------
    path
        The file.
    name
        Path of the array in it, if it was given.
    is_meant
        Whether an array of this path may be the one.

    Raises
    ------
    ExperimentError
        If there is none, or there are several; the message lists them.
    """
    if name is not None:
        return array_at(path, name)
    found = [array for array in arrays_in(path) if is_meant(array.name)]
    with_scan = [array for array in found if len(array.shape) == 4]
    choice = with_scan or [array for array in found if len(array.shape) == 3]
    if len(choice) == 1:
        return array_at(choice[0].path, choice[0].name)
    if not choice:
        others = f"; it holds {listed(found)}" if found else ""
        raise ExperimentError(f"{path}: holds no array with the three or four axes of a scan{others}")
    raise ExperimentError(
        f"{path}: holds {len(choice)} arrays that may be the scan: {listed(choice)}", "give dataset_path"
    )


def attributes_below(file: h5py.File, group: str, name: str) -> Mapping[str, object]:
    """Return the attributes of a group below a group; none where it is missing or a link."""
    found = node_below(file, f"{group}/{name}")
    return {} if found is None else dict(found.attrs)


def node_below(group: h5py.Group, name: str) -> Any:
    """Return what lies at a path below a group; None where nothing does, or a link is on the way."""
    found: Any = group
    for part in filter(None, name.split("/")):
        if not isinstance(found, h5py.Group) or not isinstance(found.get(part, getlink=True), h5py.HardLink):
            return None
        found = found[part]
    return found


def listed(arrays: Sequence[StoredArray]) -> str:
    """Return arrays as a choice for people."""
    shown = ", ".join(f"{printable(array.name)} {array.shape}" for array in arrays[:_MOST_SHOWN])
    return shown + (", …" if len(arrays) > _MOST_SHOWN else "")


def _described(path: Path, dataset: Any) -> StoredArray:
    missing, total = _missing_chunks(dataset)
    return StoredArray(path, dataset.name, dataset.shape, dataset.dtype.str, dataset.chunks, missing, total)


def _missing_chunks(dataset: Any) -> tuple[int, int]:
    """Return how many chunks of an array were never written, and how many it has; a whole one is one chunk."""
    if dataset.is_virtual or 0 in dataset.shape:
        return 0, 0
    if dataset.chunks is None:
        return int(dataset.id.get_storage_size() == 0), 1
    total = math.prod(-(-edge // chunk) for edge, chunk in zip(dataset.shape, dataset.chunks, strict=True))
    return total - dataset.id.get_num_chunks(), total


def _require_own(path: Path, dataset: Any, links_left: int) -> None:
    """Refuse an array whose numbers lie in files elsewhere."""
    if dataset.external:
        raise ExperimentError(f"{path}: {printable(dataset.name)} names bare files for its numbers", "export it anew")
    if dataset.is_virtual:
        if links_left == 0:
            raise ExperimentError(f"{path}: {printable(dataset.name)} leads through more than {_MOST_LINKS} links")
        for source in dataset.virtual_sources():
            if source.file_name != ".":
                array_at(beside(path, source.file_name), source.dset_name, links_left - 1).require_written()


def _nothing(file: h5py.File, path: Path, name: str) -> ExperimentError:
    return ExperimentError(f"{path}: holds no array {printable(name)!r}", f"its groups: {printable(', '.join(file))}")
