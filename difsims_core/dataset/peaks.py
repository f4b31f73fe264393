"""The library of spots of a dataset: lists of unequal length in arrays of one stored object a block.

See docs/architecture.md §4.

``peaks/hkl``, ``peaks/g`` and ``peaks/intensity`` are flat. Block ``b`` owns their rows ``b · spot_rows`` …
``(b + 1) · spot_rows``, room for every spot that its patterns could have, fills them from the front and leaves the
rest unwritten, which takes no bytes. So blocks are written in any order, each by one writer, and where the spots of a
pattern lie is known without the blocks before it: ``peaks/start`` and ``peaks/count`` hold it, for pattern ``i``
``flat[start[i] : start[i] + count[i]]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from difsims_core.errors import InputError

if TYPE_CHECKING:
    from difsims_core.dataset.plan import Plan
    from difsims_core.simulation.block import Block

FLAT = {"peaks/hkl": ("<i2", (3,)), "peaks/g": ("<f4", (2,)), "peaks/intensity": ("<f4", ())}
"""Dtype and trailing shape of the flat arrays."""
MOST_SPOTS = 2**16 - 1  # spots of one pattern: the count is uint16


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
    if m > plan.spot_rows or counts.max() > MOST_SPOTS:
        raise InputError(
            f"patterns {block.start} … {block.stop} have {m} spots, up to {counts.max()} each, and dataset {plan.id} "
            f"has room for {plan.spot_rows}, at most {MOST_SPOTS} each; the simulator and the template disagree"
        )
    first = block.start // plan.block_rows * plan.spot_rows
    return {
        "peaks/start": first + peaks.start[:-1].astype(np.int64),
        "peaks/count": counts.astype(np.uint16),
        "peaks/hkl": peaks.hkl,
        "peaks/g": peaks.g,
        "peaks/intensity": peaks.intensity,
    }
