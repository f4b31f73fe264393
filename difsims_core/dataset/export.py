"""Export a dataset to npz files that NumPy alone can read, without pickling (docs/architecture.md §4)."""

from __future__ import annotations

import json
import logging
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from difsims_core.dataset.open import Simulation, open_simulation
from difsims_core.errors import InputError
from difsims_core.storage.objects import ObjectStore, writing_url

_log = logging.getLogger(__name__)
MAX_BYTES = 2**31 - 1
"""NumPy's limit for one structured dtype: 2 GiB less a byte."""
_OVERHEAD = 16 * 1024  # zip directory and npy headers


def export_npz(
    store: ObjectStore,
    simulation_id: str,
    path: str | Path,
    *,
    max_bytes: int = MAX_BYTES,
    progress: Callable[[int], None] | None = None,
) -> list[str]:
    """Write a dataset to ``path``, or to numbered files ``name_0001.npz`` … beside it when it exceeds ``max_bytes``.

    Each file holds one structured scalar a group: ``np.load(p)["1d"]["x_px"]`` is (n, 147), ``["2d"]["x_px"]``, where
    polar patterns are kept, (n, 147, 360), ``["metadata"]["id"]`` the id. ``["metadata"]`` also says which part of how
    many a file is, and its first and last pattern. Memory stays at one block, whatever the size.

    Parameters
    ----------
    store, simulation_id
        The dataset.
    path
        Path or URL ending with ``.npz``.
    max_bytes
        Of one file.
    progress
        Called with the number of patterns written so far.

    Returns
    -------
    list of str
        The files, in order.

    Raises
    ------
    InputError
        If the path does not end with ``.npz`` or ``max_bytes`` does not hold a single pattern.
    """
    if not str(path).endswith(".npz"):
        raise InputError(f"{path}: expected a name that ends with .npz")
    sim = open_simulation(simulation_id, store)
    per_file = _rows_per_file(sim, min(max_bytes, MAX_BYTES))
    starts = range(0, sim.n_patterns, per_file)
    written = []
    for number, start in enumerate(starts, start=1):
        name = str(path) if len(starts) == 1 else re.sub(r"\.npz$", f"_{number:04d}.npz", str(path))
        stop = min(start + per_file, sim.n_patterns)
        metadata = _metadata(sim, start, stop, (number, len(starts)))
        with writing_url(name) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for group in _groups(sim):
                _write_group(archive, group, _group_dtype(sim, group, stop - start), _contents(sim, group, start, stop))
            _write_group(archive, "metadata", metadata.dtype, iter([metadata.tobytes()]))
        written.append(name)
        if progress is not None:
            progress(stop)
    if len(written) > 1:
        _log.info("%s exceeds %d bytes and was split into %d files", sim.id, max_bytes, len(written))
    return written


def _groups(sim: Simulation) -> list[str]:
    return [group for group in ("1d", "2d") if _row_arrays(sim, group)]


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


_VERSIONS = ("engine", "engine_version", "simulation_version")


def _metadata(sim: Simulation, start: int, stop: int, part: tuple[int, int]) -> np.ndarray:
    """Return the description as a structured scalar: text, and JSON where there is structure."""
    attrs = sim.attrs
    values: dict[str, Any] = {
        "phases": list(sim.phases),
        **{key: str(attrs[key]) for key in ("id", "summary", "created", "fingerprint", *_VERSIONS)},
        **{key: _json(attrs[key]) for key in ("parameters", "versions", "crystals")},
        "n_patterns": sim.n_patterns,
        "part": part[0],
        "parts": part[1],
        "start": start,
        "stop": stop,
    }
    arrays = {key: np.asarray(value) for key, value in values.items()}
    scalar = np.zeros((), np.dtype([(key, value.dtype, value.shape) for key, value in arrays.items()]))
    for key, value in arrays.items():
        scalar[key] = value
    return scalar


def _json(value: Mapping[str, Any] | list[Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
