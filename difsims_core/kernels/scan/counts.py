"""What frames hold as a whole: counts, those of the direct beam, whether it saturates (docs/physics.md §17)."""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel

TOTAL, BEAM, NONZERO, PLATEAU = 0, 1, 2, 3
"""Columns of what ``frame_counts`` writes."""

_TALL = 50.0  # electrons: lower tops are often shared by chance
_BRIGHT = 0.5  # of the top
_FEWEST = 3  # pixels at the top


@kernel
def frame_counts(frames, good, centres, radius, counts_scale, out):
    """Sum frames over good pixels, in 64 bits.

    Parameters
    ----------
    frames, good
        (n, rows, columns) counts, and (rows, columns) bool: True for pixels that count. NaN and infinity do not.
    centres
        (n, 2) row and column of each direct beam, px.
    radius
        Of the beam's disc, px.
    counts_scale
        What one electron reads.
    out
        (n, 4) float64, written: counts of the frame; counts within the disc; pixels that are not 0; the share of the
        bright pixels of the disc (above half of its top) that read exactly its top, 0 where that is below 50 electrons
        or fewer than three do. Counting scatters brighter tops, a detector at its limit levels them.
    """
    n, rows, columns = frames.shape
    totals, nonzero = np.empty(columns), np.empty(columns, np.int32)
    for k in range(n):
        totals[:], nonzero[:] = 0.0, 0
        for y in range(rows):
            line, counts = frames[k, y], good[y]
            for x in range(columns):  # column by column and without branches, so that it is vectorised
                value = float(line[x])
                if not (counts[x] & (abs(value) < np.inf)):
                    value = 0.0
                totals[x] += value
                nonzero[x] += value != 0.0
        out[k, 0], out[k, 2] = totals.sum(), nonzero.sum()
        out[k, 1], out[k, 3] = _disc(frames[k], good, centres[k, 0], centres[k, 1], radius, _TALL * counts_scale)


@kernel
def _disc(frame, good, row, column, radius, tall):
    """Return the counts of a disc, and which share of its bright pixels read exactly its top."""
    low_y, high_y = max(int(math.ceil(row - radius)), 0), min(int(math.floor(row + radius)), frame.shape[0] - 1)
    low_x, high_x = max(int(math.ceil(column - radius)), 0), min(int(math.floor(column + radius)), frame.shape[1] - 1)
    total = top = 0.0
    bright = level = 0
    for second in range(2):  # first the top, then who reaches it
        for y in range(low_y, high_y + 1):
            for x in range(low_x, high_x + 1):
                value = float(frame[y, x])
                if not (good[y, x] and math.isfinite(value)) or (y - row) ** 2 + (x - column) ** 2 > radius * radius:
                    continue
                if second == 0:
                    total += value
                    top = max(top, value)
                elif value > _BRIGHT * top:
                    bright += 1
                    if value == top:
                        level += 1
    return total, level / bright if top >= tall and level >= _FEWEST else 0.0
