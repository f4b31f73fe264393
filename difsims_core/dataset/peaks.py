"""The library of spots of a dataset: lists of unequal length in arrays of one stored object a block (DESIGN §4).

``peaks/hkl``, ``peaks/g`` and ``peaks/intensity`` are flat. Block ``b`` owns their rows ``b · spot_rows`` …
``(b + 1) · spot_rows``, room for every spot that its patterns could have, fills them from the front and leaves the
rest unwritten, which takes no bytes. So blocks are written in any order, each by one writer, and where the spots of a
pattern lie is known without the blocks before it: ``peaks/start`` and ``peaks/count`` hold it, for pattern ``i``
``flat[start[i] : start[i] + count[i]]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from difsims_core.dataset.block import Peaks
from difsims_core.errors import CorruptDataError, InputError
from difsims_core.storage.shards import shard_rows

if TYPE_CHECKING:
    from difsims_core.dataset.block import Block
    from difsims_core.dataset.open import Simulation
    from difsims_core.dataset.plan import Plan

FLAT = {"peaks/hkl": ("<i2", (3,)), "peaks/g": ("<f4", (2,)), "peaks/intensity": ("<f4", ())}
"""Dtype and trailing shape of the flat arrays."""
_MOST = 2**16 - 1  # spots of one pattern: the count is uint16


def peak_arrays(plan: Plan, block: Block) -> dict[str, np.ndarray]:
    """Return the rows of the spots of a block by the path of their array; none when it has none to keep.

    Raises
    ------
    InputError
        If the lists do not fit together, or into the place that the dataset has for them.
    """
    peaks = block.peaks
    if peaks is None:
        return {}
    counts, m = np.diff(peaks.start), len(peaks.hkl)
    fits = len(counts) == block.stop - block.start and peaks.start[0] == 0 and peaks.start[-1] == m
    if not fits or counts.min() < 0 or {len(peaks.g), len(peaks.intensity)} != {m}:
        raise InputError(
            f"the spots of patterns {block.start} … {block.stop} do not fit together: expected one list a pattern, end "
            f"to end, found {len(counts)} lists, ends {peaks.start[0]} … {peaks.start[-1]}, {m} indices, "
            f"{len(peaks.g)} vectors, {len(peaks.intensity)} intensities"
        )
    if m > plan.spot_rows or counts.max() > _MOST:
        raise InputError(
            f"patterns {block.start} … {block.stop} have {m} spots, up to {counts.max()} each, and dataset {plan.id} "
            f"has room for {plan.spot_rows}, at most {_MOST} each; the simulator and the template disagree"
        )
    first = block.start // plan.block_rows * plan.spot_rows
    return {
        "peaks/start": first + peaks.start[:-1].astype(np.int64),
        "peaks/count": counts.astype(np.uint16),
        "peaks/hkl": peaks.hkl,
        "peaks/g": peaks.g,
        "peaks/intensity": peaks.intensity,
    }


def read_peaks(simulation: Simulation, start: int = 0, stop: int | None = None) -> Peaks:
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
        raise InputError(f"{simulation.id} keeps no spots; simulate it again with output: {{peaks: true}}")
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


def _first(simulation: Simulation, block: int, rows: slice, count: np.ndarray) -> int:
    """Return where the spots of patterns of one block begin in the flat arrays."""
    starts = np.asarray(simulation["peaks/start"][rows])
    owned = shard_rows(simulation["peaks/hkl"])
    end_to_end = np.array_equal(starts[1:], starts[:-1] + count[:-1])
    if not end_to_end or not block * owned <= starts[0] <= starts[-1] + count[-1] <= (block + 1) * owned:
        raise _damaged(simulation, rows.start, rows.stop, "their lists do not lie end to end within their block")
    return int(starts[0])


def _damaged(simulation: Simulation, start: int, stop: int, reason: str) -> CorruptDataError:
    return CorruptDataError(
        f"{simulation.url}: the spots of patterns {start} … {stop} cannot be read, {reason}; verify the dataset, then "
        "delete it and simulate it again"
    )
