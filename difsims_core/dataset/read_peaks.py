"""Spots are read back from the flat arrays of a dataset; where they lie: `dataset.peaks`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from difsims_core.dataset.peaks import FLAT
from difsims_core.errors import CorruptDataError, InputError
from difsims_core.simulation.block import Peaks
from difsims_core.storage.zarr.shards import shard_rows

if TYPE_CHECKING:
    import zarr


class KeepsPeaks(Protocol):
    """An opened dataset, as far as its spots need it."""

    @property
    def id(self) -> str:
        """``sim-<uuid4>``."""
        ...

    @property
    def url(self) -> str:
        """URL of the Zarr group."""
        ...

    @property
    def n_patterns(self) -> int:
        """Number of patterns of all classes together."""
        ...

    @property
    def block_rows(self) -> int:
        """Rows of one stored object."""
        ...

    def __getitem__(self, path: str, /) -> zarr.Array: ...
    def __contains__(self, path: str, /) -> bool: ...


def read_peaks(simulation: KeepsPeaks, start: int = 0, stop: int | None = None) -> Peaks:
    """Return the spots of patterns ``start`` … ``stop`` of a dataset.

    Parameters
    ----------
    simulation
        A dataset with ``output.peaks``.
    start, stop
        Pattern numbers; ``stop`` defaults to the number of patterns.

    Returns
    -------
    Peaks
        Spots of pattern ``start + i`` are ``peaks.start[i]:peaks.start[i + 1]``.

    Raises
    ------
    InputError
        If the dataset keeps no spots or has no such patterns.
    CorruptDataError
        If the stored lists do not fit together.
    """
    stop = simulation.n_patterns if stop is None else stop
    if "peaks/start" not in simulation:
        raise InputError(f"{simulation.id} keeps no spots", "simulate it again with output: {peaks: true}")
    if not 0 <= start < stop <= simulation.n_patterns:
        raise InputError(
            f"patterns {start} … {stop} were asked for, but {simulation.id} has {simulation.n_patterns}; "
            "expected 0 ≤ start < stop ≤ n_patterns"
        )
    parts: dict[str, list[np.ndarray]] = {path: [] for path in FLAT}
    counts = []
    for block in range(start // simulation.block_rows, -(-stop // simulation.block_rows)):
        rows = slice(max(start, block * simulation.block_rows), min(stop, (block + 1) * simulation.block_rows))
        count = np.asarray(simulation["peaks/count"][rows]).astype(np.int64)
        first = _first(simulation, block, rows, count)
        for path in FLAT:
            parts[path].append(np.asarray(simulation[path][first : first + int(count.sum())]))
        counts.append(count)
    hkl, g, intensity = (np.concatenate(pieces) for pieces in parts.values())
    if np.isnan(intensity).any():
        raise _damaged(simulation, start, stop, "some spots were never written")
    ends = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64)
    return Peaks(ends, hkl, g, intensity)


def _first(simulation: KeepsPeaks, block: int, rows: slice, count: np.ndarray) -> int:
    """Return where the spots of patterns of one block begin in the flat arrays."""
    starts = np.asarray(simulation["peaks/start"][rows])
    owned = shard_rows(simulation["peaks/hkl"])
    end_to_end = np.array_equal(starts[1:], starts[:-1] + count[:-1])
    if not end_to_end or not block * owned <= starts[0] <= starts[-1] + count[-1] <= (block + 1) * owned:
        raise _damaged(simulation, rows.start, rows.stop, "their lists do not lie end to end within their block")
    return int(starts[0])


def _damaged(simulation: KeepsPeaks, start: int, stop: int, reason: str) -> CorruptDataError:
    return CorruptDataError(
        f"{simulation.url}: the spots of patterns {start} … {stop} cannot be read, {reason}",
        "verify the dataset, then delete it and simulate it again",
    )
