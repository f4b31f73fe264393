"""Frames to polar cells: one sparse operator, moved by whole pixels (docs/physics.md §17)."""

from __future__ import annotations

import math

from difsims_core.kernels.compile import kernel


@kernel
def pad_frame(frame, good, top, left, padded, counted):
    """Copy a frame into a larger array of zeros, for an operator that may reach beyond its edges.

    Parameters
    ----------
    frame, good
        (rows, columns) counts, and bool: True for pixels that count. A pixel that reads NaN or infinity does not.
    top, left
        Where the frame begins in ``padded``.
    padded, counted
        (larger, larger) float32; within the frame they become counts (0 where a pixel does not count) and 1 or 0.
    """
    rows, columns = frame.shape
    for y in range(rows):
        for x in range(columns):
            value = frame[y, x]
            counts = good[y, x] and math.isfinite(value)
            padded[top + y, left + x] = value if counts else 0.0
            counted[top + y, left + x] = 1.0 if counts else 0.0


@kernel
def integrate_frame(padded, counted, origin, start, index, weight, sums, areas):
    """Add up the counts of one frame in each cell, and the area that its good pixels cover.

    Parameters
    ----------
    padded, counted
        Flat arrays as ``pad_frame`` writes them.
    origin
        Index of the pixel that the operator takes for its own origin.
    start, index, weight
        Operator in rows (CSR): cell i shares ``weight[k]`` px² with the pixel ``origin + index[k]``, k from
        ``start[i]`` to ``start[i + 1]``.
    sums, areas
        (cells,) float64, written: Σ w · counts, and Σ w over the pixels that count.
    """
    for i in range(len(start) - 1):
        total = area = 0.0
        for k in range(start[i], start[i + 1]):
            pixel = origin + index[k]
            total += weight[k] * padded[pixel]
            area += weight[k] * counted[pixel]
        sums[i] = total
        areas[i] = area


@kernel
def merge_azimuths(sums, areas, profile):
    """Make a profile of the cells of one frame.

    Parameters
    ----------
    sums, areas
        (annuli, azimuths) as ``integrate_frame`` writes them.
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
        (annuli, azimuths) as ``integrate_frame`` writes them.
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
