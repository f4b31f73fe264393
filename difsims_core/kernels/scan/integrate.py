"""Frames to polar cells: one sparse operator, moved by whole pixels (docs/physics.md §17)."""

from __future__ import annotations

import math

from difsims_core.kernels.compile import kernel


@kernel
def pad_frame(frame, good, top, left, padded):
    """Copy a frame into a larger array of zeros, for an operator that may reach beyond its edges.

    Parameters
    ----------
    frame, good
        (rows, columns) counts, and bool: True for pixels that count.
    top, left
        Where the frame begins in ``padded``.
    padded
        (larger, larger) float32; within the frame they become counts, 0 where a pixel does not count or is not finite.

    Returns
    -------
    bool
        Whether all pixels that count are finite.
    """
    rows, columns = frame.shape
    whole = True
    for y in range(rows):
        for x in range(columns):
            value = frame[y, x] if good[y, x] else frame.dtype.type(0)
            finite = math.isfinite(value)
            whole &= finite
            padded[top + y, left + x] = value if finite else 0.0
    return whole


@kernel
def add_up_cells(padded, origin, start, index, weight, sums):
    """Add up the pixels of one frame in each cell.

    Parameters
    ----------
    padded
        Flat array as ``pad_frame`` writes it: counts, or 1 for pixels that count and 0 for the others.
    origin
        Index of the pixel that the operator takes for its own origin.
    start, index, weight
        Operator in rows (CSR): cell i shares ``weight[k]`` px² with the pixel ``origin + index[k]``, k from
        ``start[i]`` to ``start[i + 1]``.
    sums
        (cells,) float64, written: Σ w · pixel.
    """
    for i in range(len(start) - 1):
        total = 0.0
        for k in range(start[i], start[i + 1]):
            total += weight[k] * padded[origin + index[k]]
        sums[i] = total


@kernel
def merge_azimuths(sums, areas, profile):
    """Make a profile of the cells of one frame.

    Parameters
    ----------
    sums, areas
        (annuli, azimuths) as ``add_up_cells`` writes them, of counts and of pixels that count.
    profile
        (annuli,) float32, written: mean counts per pixel of each annulus; NaN where no pixel counts.
    """
    for i in range(len(sums)):
        total = area = 0.0
        for j in range(sums.shape[1]):
            total += sums[i, j]
            area += areas[i, j]
        profile[i] = total / area


@kernel
def merge_annuli(sums, areas, annuli, polar):
    """Make a polar pattern of the cells of one frame.

    Parameters
    ----------
    sums, areas
        (annuli, azimuths) as ``add_up_cells`` writes them, of counts and of pixels that count.
    annuli
        How many neighbouring annuli make one radius.
    polar
        (radii, azimuths) float32, written: mean counts per pixel of each cell; NaN where no pixel counts.
    """
    for i in range(len(polar)):
        for j in range(polar.shape[1]):
            total = area = 0.0
            for k in range(i * annuli, (i + 1) * annuli):
                total += sums[k, j]
                area += areas[k, j]
            polar[i, j] = total / area
