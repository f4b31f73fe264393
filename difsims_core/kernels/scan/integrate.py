"""Frames to polar cells: one sparse operator, moved by whole pixels (docs/physics.md §17)."""

from __future__ import annotations

import numpy as np

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
    wrong = 0
    for y in range(rows):
        line, counts, out = frame[y], good[y], padded[top + y, left : left + columns]
        for x in range(columns):  # without branches, so that it is vectorised
            value = np.float32(line[x])
            finite = abs(value) < np.float32(np.inf)
            wrong += counts[x] & (not finite)
            out[x] = value if counts[x] & finite else np.float32(0.0)
    return wrong == 0


@kernel
def add_up_cells(pixels, start, index, weight, sums):
    """Add up the pixels of one frame in each cell.

    Parameters
    ----------
    pixels
        Flat array as ``pad_frame`` writes it, from the first pixel on that the operator reaches: counts, or 1 for
        pixels that count and 0 for the others.
    start, index, weight
        Operator in rows (CSR): cell i shares ``weight[k]`` px² with the pixel ``index[k]``, k from ``start[i]`` to
        ``start[i + 1]``. Unsigned indices are faster: none counts from the end.
    sums
        (cells,) float64, written: Σ w · pixel.
    """
    for i in range(len(start) - 1):
        total = 0.0
        for k in range(start[i], start[i + 1]):
            total += weight[k] * pixels[index[k]]
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
