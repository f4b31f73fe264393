"""Spots to radial profiles without an image (PHYSICS §5)."""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel


@kernel
def deposit(radius, weight, spacing, cells):
    """Add a spot at ``radius`` (px) to a histogram with nodes every ``spacing`` px, by cubic Lagrange weights.

    The spread operator is exact at the nodes and even in the radius, so a node below zero is its mirror image.
    """
    place = radius / spacing
    c = int(place)
    f = place - c
    cells[c - 1 if c > 0 else 1] += weight * (-f * (f - 1.0) * (f - 2.0) / 6.0)
    cells[c] += weight * ((f + 1.0) * (f - 1.0) * (f - 2.0) / 2.0)
    cells[c + 1] += weight * (-(f + 1.0) * f * (f - 2.0) / 2.0)
    cells[c + 2] += weight * ((f + 1.0) * f * (f - 1.0) / 6.0)


@kernel
def apply_spread(cells, starts, weights, band, n_bins, profile):
    """Add to ``profile`` (n_bins,) what the histogram ``cells`` sends to each bin.

    Parameters
    ----------
    cells
        (n_cells,) float32 intensity at the nodes.
    starts
        (n_cells,) first bin that a node reaches.
    weights
        (n_cells · band,) float32 mean intensity per pixel of the bins it reaches, for unit intensity.
    band
        Number of bins that a node reaches.
    n_bins
        Bins from there on receive nothing.
    """
    for c in range(cells.shape[0]):
        amount = cells[c]
        if amount != 0.0:
            first = starts[c]
            w = weights[c * band : (c + 1) * band]
            p = profile[first : first + band]
            for b in range(min(band, n_bins - first)):
                p[b] += amount * w[b]


@kernel
def remove_brightest(hits, n, mask):
    """Remove the r-th brightest spot for each bit r of ``mask``, but never the last spot; return how many are left."""
    found = np.uint64(mask)
    rank = 0
    left = n
    while found != np.uint64(0) and rank < n:
        best = rank
        for j in range(rank + 1, n):
            if hits[j, 2] > hits[best, 2]:
                best = j
        for column in range(3):
            hits[rank, column], hits[best, column] = hits[best, column], hits[rank, column]
        if found & np.uint64(1) and left > 1:
            hits[rank, 2] = -hits[rank, 2]
            left -= 1
        found >>= np.uint64(1)
        rank += 1
    if left == n:
        return n
    place = 0
    for j in range(n):
        if hits[j, 2] >= 0.0:
            for column in range(3):
                hits[place, column] = hits[j, column]
            place += 1
    return place


@kernel
def spots_to_profile(hits, n, beside, per_px, beam, spacing, starts, weights, band, whole, cells, profile):
    """Write the noise-free profile of ``n`` spots and return the intensity of the brightest.

    Parameters
    ----------
    hits, n, beside
        (max_hits, 3) g_x, g_y in Å⁻¹ and intensity; how many on the detector, and at the end beside it: these reach
        only annuli that the frame does not cut.
    per_px
        Calibration of this pattern, Å⁻¹ per pixel.
    beam
        Direct beam relative to the brightest spot.
    spacing, starts, weights, band
        The spread operator.
    whole
        Number of annuli that the frame does not cut.
    cells, profile
        Work space (n_cells,) and result (n_bins,), float32.
    """
    cells[:] = 0.0
    profile[:] = 0.0
    brightest = 0.0
    for j in range(n):
        radius = math.sqrt(hits[j, 0] ** 2 + hits[j, 1] ** 2) / per_px
        deposit(radius, hits[j, 2], spacing, cells)
        brightest = max(brightest, hits[j, 2])
    if beam > 0.0:
        deposit(0.0, beam * brightest, spacing, cells)
    apply_spread(cells, starts, weights, band, profile.shape[0], profile)
    if beside > 0:
        cells[:] = 0.0
        for j in range(hits.shape[0] - beside, hits.shape[0]):
            radius = math.sqrt(hits[j, 0] ** 2 + hits[j, 1] ** 2) / per_px
            deposit(radius, hits[j, 2], spacing, cells)
        apply_spread(cells, starts, weights, band, whole, profile)
    for b in range(profile.shape[0]):
        profile[b] = max(profile[b], np.float32(0.0))
    return brightest
