"""Counts of a detector in polar cells (docs/physics.md §6)."""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.profile.noise import hot_pixels
from difsims_core.kernels.random.counter_rng import next_unit, seed_stream
from difsims_core.kernels.random.poisson import poisson_row


@kernel
def add_hot_pixel(row, pixels, reading, state):
    """Let one pixel of an annulus (n_azimuth,) read ``reading``; one that spans several cells shows in all of them."""
    n = row.shape[0]
    first = int(next_unit(state) * n)
    if pixels[first] <= 0.0:
        return
    span = int(math.ceil(1.0 / pixels[first] - 1e-6))
    for j in range(first, first + span):
        cell = j % n
        share = min(1.0, 1.0 / (span * pixels[cell])) if pixels[cell] > 0.0 else 0.0
        row[cell] = (1.0 - share) * row[cell] + share * reading


@kernel
def count_cells(
    polar_patterns, pixels, counts, unit, dose, hot, spike, seed, patterns, purpose, order, segments, first_bin, maximum
):
    """Replace noise-free polar patterns by counted ones, in place.

    Parameters
    ----------
    polar_patterns
        (n, n_rows, n_azimuth) float32, mean intensity per pixel of each cell.
    pixels
        (1, n_bins, n_azimuth) or (n, n_bins, n_azimuth) effective pixels of each cell; one without pixels reads 0.
    counts
        (n_bins,) int64 pixels of each annulus, hot ones are drawn from.
    unit, dose, hot, spike, seed, patterns, purpose
        As ``count_profiles``.
    order, segments
        Annuli in the order in which their numbers are drawn, and where runs of them end.
    first_bin
        Annulus of the first row of ``polar_patterns``.
    maximum
        (n,) 0 for counting; the noise of the legacy platform otherwise, as ``old_profiles``.
    """
    n_azimuth = polar_patterns.shape[2]
    state = np.empty(4, np.uint64)
    n_hot = np.zeros(counts.shape[0])
    mean, work = np.empty(n_azimuth), np.empty((7, n_azimuth))
    for i in range(polar_patterns.shape[0]):
        seed_stream(seed, patterns[i], purpose, state)
        area = pixels[i if pixels.shape[0] > 1 else 0]
        old = maximum[i] > 0.0
        if old and spike[i] == 0.0:
            continue
        per_unit, back = (1.0 / unit[i], unit[i]) if old else (dose[i] / unit[i], unit[i] / dose[i])
        drawing = old or not math.isinf(dose[i])
        first = 0
        for last in segments:
            hot_pixels(counts, order, first, last, hot[i], state, n_hot)
            for place in range(first, last):
                b = order[place]
                row, cells = polar_patterns[i, b - first_bin], area[b]
                if drawing:
                    for j in range(n_azimuth):
                        mean[j] = row[j] * cells[j] * per_unit
                    poisson_row(mean, n_azimuth, state, work)
                    for j in range(n_azimuth):
                        counted = mean[j] / cells[j] * back
                        row[j] = (row[j] + counted) / maximum[i] if old else counted
                for _ in range(int(n_hot[b])):
                    add_hot_pixel(row, cells, spike[i] * unit[i], state)
                for j in range(n_azimuth):
                    row[j] = row[j] if cells[j] > 0.0 else np.float32(0)
            first = last


@kernel
def add_to_rows(polar_patterns, shapes, level, first_bin):
    """Add level (n,) times the shape of each annulus (n, n_bins) to all cells of its row, in place."""
    for i in range(polar_patterns.shape[0]):
        if level[i] == 0.0:
            continue
        for row in range(polar_patterns.shape[1]):
            value = np.float32(level[i] * shapes[i, first_bin + row])
            line = polar_patterns[i, row]
            for j in range(polar_patterns.shape[2]):
                line[j] += value
