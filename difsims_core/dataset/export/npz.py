"""Export to npz files that NumPy alone can read, without pickling (docs/architecture.md §4)."""

from __future__ import annotations

import logging
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.lib import format as npy

from difsims_core.dataset.export.base import Exporter, description
from difsims_core.errors import InputError
from difsims_core.storage.objects import writing_url

if TYPE_CHECKING:
    from difsims_core.dataset.open import Simulation

_log = logging.getLogger(__name__)
MAX_BYTES = 2**31 - 1
"""NumPy's limit for one structured dtype: 2 GiB less a byte."""
_OVERHEAD = 16 * 1024  # zip directory and npy headers
_GROUPS = ("1d", "2d", "polar", "draws")  # those with a row for each pattern


@dataclass(frozen=True)
class NpzExporter(Exporter):
    """One file, or numbered files ``name_0001.npz`` … beside it when it would exceed ``max_bytes``.

    Each file holds one structured scalar a group: ``np.load(p)["1d"]["x_px"]`` is (n, 147), ``["draws"]["sigma_px"]``
    (n,), ``["metadata"]["id"]`` the id; where polar patterns are kept, ``["2d"]["x_px"]`` is (n, 147, 360) and
    ``["polar"]["x"]`` (n, 74, 72). ``["metadata"]`` also says which part of how many a file is, and its first and last
    pattern.
    """

    max_bytes: int = MAX_BYTES
    ending: ClassVar[str] = ".npz"

    def files(self, dataset: Simulation, path: str) -> list[str]:
        """Return the name, or numbered names.

        Raises
        ------
        InputError
            If ``max_bytes`` does not hold a single pattern.
        """
        count = len(self._starts(dataset))
        if count == 1:
            return [path]
        return [re.sub(r"\.npz$", f"_{number:04d}.npz", path) for number in range(1, count + 1)]

    def write(self, dataset: Simulation, files: Sequence[str], progress: Callable[[int], None]) -> None:
        """Write a file after another."""
        starts = self._starts(dataset)
        for number, (name, start) in enumerate(zip(files, starts, strict=True), start=1):
            stop = min(start + starts.step, dataset.n_patterns)
            metadata = _metadata(dataset, start, stop, (number, len(starts)))
            with writing_url(name) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
                for group in _groups(dataset):
                    contents = _contents(dataset, group, start, stop)
                    _write_group(archive, group, _group_dtype(dataset, group, stop - start), contents)
                _write_group(archive, "metadata", metadata.dtype, iter([metadata.tobytes()]))
            progress(stop)
        if len(files) > 1:
            _log.info("%s exceeds %d bytes and was split into %d files", dataset.id, self.max_bytes, len(files))

    def _starts(self, dataset: Simulation) -> range:
        return range(0, dataset.n_patterns, _rows_per_file(dataset, min(self.max_bytes, MAX_BYTES)))


def _groups(sim: Simulation) -> list[str]:
    return [group for group in _GROUPS if _row_arrays(sim, group)]


def _row_arrays(sim: Simulation, group: str) -> list[str]:
    return [path for path in sim.arrays if path.startswith(f"{group}/") and not path.endswith("_axis")]


def _axes(sim: Simulation, group: str) -> list[str]:
    return [path for path in sim.arrays if path.startswith(f"{group}/") and path.endswith("_axis")]


def _rows_per_file(sim: Simulation, max_bytes: int) -> int:
    """Return how many patterns of all groups fit a file; each group is then within NumPy's limit too."""
    row, fixed = 0, _metadata(sim, 0, 0, (1, 1)).nbytes + _OVERHEAD
    for group in _groups(sim):
        row += sum(sim[path].dtype.itemsize * int(np.prod(sim[path].shape[1:])) for path in _row_arrays(sim, group))
        fixed += sum(sim[path].nbytes for path in _axes(sim, group))
    rows = (max_bytes - fixed) // row
    if rows < 1:
        raise InputError(f"{max_bytes} bytes do not hold one pattern ({row} bytes) and {fixed} bytes of description")
    return min(rows, sim.n_patterns)


def _group_dtype(sim: Simulation, group: str, rows: int) -> np.dtype:
    fields = [(path, (rows, *sim[path].shape[1:])) for path in _row_arrays(sim, group)]
    fields += [(path, sim[path].shape) for path in _axes(sim, group)]
    return np.dtype(
        [(path.removeprefix(f"{group}/"), sim[path].dtype.newbyteorder("<"), shape) for path, shape in fields]
    )


def _contents(sim: Simulation, group: str, start: int, stop: int) -> Iterator[memoryview]:
    """Yield the fields of the structured scalar one after another, a block at a time."""
    rows = sim.block_rows
    for path in _row_arrays(sim, group):
        for block in range(start // rows, -(-stop // rows)):
            yield _bytes(sim[path][max(start, block * rows) : min(stop, (block + 1) * rows)])
    for path in _axes(sim, group):
        yield _bytes(sim[path][:])


def _bytes(values: Any) -> memoryview:
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8).data


def _write_group(archive: zipfile.ZipFile, name: str, dtype: np.dtype, contents: Iterator[bytes | memoryview]) -> None:
    header: dict[str, Any] = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": ()}
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        npy.write_array_header_1_0(member, header)
        for part in contents:
            member.write(part)


def _metadata(sim: Simulation, start: int, stop: int, part: tuple[int, int]) -> np.ndarray:
    """Return the description as a structured scalar."""
    values = description(sim) | {"part": part[0], "parts": part[1], "start": start, "stop": stop}
    arrays = {key: np.asarray(value) for key, value in values.items()}
    scalar = np.zeros((), np.dtype([(key, value.dtype, value.shape) for key, value in arrays.items()]))
    for key, value in arrays.items():
        scalar[key] = value
    return scalar
