"""Counts of a detector, annulus by annulus, cell by cell or pixel by pixel (docs/physics.md §6)."""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.random.counter_rng import next_unit, seed_stream
from difsims_core.kernels.random.poisson import binomial, poisson, poisson_row

_MANY_HOT = 2.0  # hot pixels a bin: from here on drawing each bin's number is faster than finding each pixel


@kernel
def hot_pixels(counts, order, first, last, p_hot, state, n_hot):
    """Fill ``n_hot`` for the bins ``order[first:last]``: the number of their hot pixels, Binomial(counts, p_hot).

    Where they are rare, by the distances from one to the next along all pixels, which are geometric variates.
    """
    total = largest = 0
    for j in range(first, last):
        n_hot[order[j]] = 0.0
        total += counts[order[j]]
        largest = max(largest, counts[order[j]])
    if p_hot <= 0.0:
        return
    if p_hot * largest > _MANY_HOT:
        for j in range(first, last):
            n_hot[order[j]] = binomial(counts[order[j]], p_hot, state)
        return
    scale = 1.0 / math.log1p(-p_hot)
    place = math.floor(math.log(1.0 - next_unit(state)) * scale)
    j, end = first, counts[order[first]]
    while place < total:
        while place >= end:
            j += 1
            end += counts[order[j]]
        n_hot[order[j]] += 1.0
        place += 1.0 + math.floor(math.log(1.0 - next_unit(state)) * scale)


@kernel
def count_profiles(profiles, counts, unit, dose, hot, spike, seed, patterns, purpose, order, segments):
    """Replace noise-free profiles by counted ones, in place.

    Parameters
    ----------
    profiles
        (n, n_bins) float32, mean intensity per pixel of each annulus.
    counts
        (1, n_bins) or (n, n_bins) int64 pixels of each annulus; an annulus without pixels reads 0.
    unit, dose, hot, spike
        (n,) intensity P of one unit; counts a unit (infinite: no counting noise); probability of a hot pixel; its
        reading in units.
    seed, patterns, purpose
        Address of the random numbers; ``patterns`` (n,) are global indices.
    order, segments
        Bins in the order in which their numbers are drawn, and where the runs of them that are drawn together end;
        bins beyond the last segment are not touched.
    """
    n_bins = profiles.shape[1]
    state = np.empty(4, np.uint64)
    n_hot, mean, work = np.zeros(n_bins), np.empty(n_bins), np.empty((7, n_bins))
    for i in range(profiles.shape[0]):
        seed_stream(seed, patterns[i], purpose, state)
        pixels = counts[i if counts.shape[0] > 1 else 0]
        per_unit = dose[i]
        first = 0
        for last in segments:
            hot_pixels(pixels, order, first, last, hot[i], state, n_hot)
            for j in range(first, last):
                b = order[j]
                mean[j - first] = profiles[i, b] / unit[i] * (pixels[b] - n_hot[b])
            if not math.isinf(per_unit):
                for j in range(last - first):
                    mean[j] *= per_unit
                poisson_row(mean, last - first, state, work)
                for j in range(last - first):
                    mean[j] /= per_unit
            for j in range(first, last):
                b = order[j]
                reading = (mean[j - first] + n_hot[b] * spike[i]) / pixels[b] * unit[i]
                profiles[i, b] = reading if pixels[b] > 0 else 0.0
            first = last


@kernel
def count_pixels(images, unit, dose, hot, spike, seed, patterns, purpose):
    """Replace noise-free images (n, ny, nx) float32 by counted ones, every pixel on its own; as ``count_profiles``."""
    nx = images.shape[2]
    state = np.empty(4, np.uint64)
    mean, work = np.empty(nx), np.empty((7, nx))
    for i in range(images.shape[0]):
        seed_stream(seed, patterns[i], purpose, state)
        scale, back = dose[i] / unit[i], unit[i] / dose[i]
        never = math.isinf(dose[i])
        step = 1.0 / math.log1p(-hot[i]) if hot[i] > 0.0 else 0.0
        to_hot = math.floor(math.log(1.0 - next_unit(state)) * step) if hot[i] > 0.0 else math.inf
        for row in range(images.shape[1]):
            line = images[i, row]
            if not never:
                for x in range(nx):
                    mean[x] = line[x] * scale
                poisson_row(mean, nx, state, work)
                for x in range(nx):
                    line[x] = mean[x] * back
            while to_hot < nx:
                line[int(to_hot)] = spike[i] * unit[i]
                to_hot += 1.0 + math.floor(math.log(1.0 - next_unit(state)) * step)
            to_hot -= nx


@kernel
def brightest_readings(sigma, seed, patterns, purpose, out):
    """Fill ``out`` (n,) with the largest I + Poisson(I) of the pixels of a spot of unit height, σ = ``sigma`` (n,)."""
    state = np.empty(4, np.uint64)
    for i in range(out.shape[0]):
        seed_stream(seed, patterns[i], purpose, state)
        reach = int(3.0 * sigma[i])
        largest = 0.0
        for y in range(-reach, reach + 1):
            for x in range(-reach, reach + 1):
                intensity = math.exp(-(x * x + y * y) / (2.0 * sigma[i] * sigma[i]))
                largest = max(largest, intensity + poisson(intensity, state))
        out[i] = largest


@kernel
def old_profiles(profiles, counts, unit, maximum, hot, spike, seed, patterns, purpose):
    """Apply the noise of the legacy platform, in place (docs/physics.md §7, historical).

    Where the spike is not 0, each pixel reads I + Poisson(I) over the ``maximum`` (n,) of all such readings, I in units
    of the pattern's maximum, and hot pixels read the spike. Otherwise there is no noise.
    """
    state = np.empty(4, np.uint64)
    for i in range(profiles.shape[0]):
        if spike[i] == 0.0:
            continue
        seed_stream(seed, patterns[i], purpose, state)
        pixels = counts[i if counts.shape[0] > 1 else 0]
        for b in range(profiles.shape[1]):
            if pixels[b] == 0:
                continue
            n_hot = binomial(pixels[b], hot[i], state)
            clean = (pixels[b] - n_hot) * profiles[i, b] / unit[i]
            reading = (clean + poisson(clean, state)) / maximum[i] + n_hot * spike[i]
            profiles[i, b] = reading / pixels[b] * unit[i]
