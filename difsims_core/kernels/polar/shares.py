"""Polar patterns from the pixels that cells share, without an image (docs/physics.md §12)."""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.profile.pattern import spots_of_pattern
from difsims_core.kernels.random.counter_rng import next_unit, seed_stream
from difsims_core.kernels.random.poisson import binomial


@kernel
def sees(x, y, hidden):
    """Return whether a pixel at (x, y) from the centre, pixels, lies beyond the beam stop and beside the gap."""
    across = y if hidden[3] > 0.0 else x
    return math.sqrt(x * x + y * y) >= hidden[0] and abs(across - hidden[2]) >= 0.5 * hidden[1]


@kernel
def share_spot(pattern, shares, x, y, intensity, sigma, reach, hidden, across):
    """Add a Gaussian spot of unit volume times intensity, sampled at pixel centres, to the cells of its pixels.

    Parameters
    ----------
    pattern, shares
        (cells,) float32, added to, and ``PixelShares``.
    x, y
        Column and row of the spot's centre.
    intensity, sigma, reach
        Intensity, standard deviation and where the spot ends, pixels.
    hidden
        (4,) as ``Conditions``.
    across
        Work space, (size,) float32.
    """
    size, start, cell, weight = shares
    first, last = max(0, int(math.ceil(x - reach))), min(size - 1, int(math.floor(x + reach))) + 1
    falloff = 1.0 / (2.0 * sigma * sigma)
    for column in range(first, last):
        across[column] = math.exp(-((column - x) ** 2) * falloff)
    height, middle = intensity * falloff / math.pi, (size - 1) / 2
    cut = hidden[0] > 0.0 or hidden[1] > 0.0
    for row in range(max(0, int(math.ceil(y - reach))), min(size - 1, int(math.floor(y + reach))) + 1):
        along = np.float32(height * math.exp(-((row - y) ** 2) * falloff))
        half = math.sqrt(reach * reach - (row - y) ** 2)
        for column in range(max(first, int(math.ceil(x - half))), min(last, int(math.floor(x + half)) + 1)):
            if cut and not sees(column - middle, row - middle, hidden):
                continue
            value = along * across[column]
            pixel = row * size + column
            for k in range(start[pixel], start[pixel + 1]):
                pattern[cell[k]] += value * weight[k]


@kernel
def phase_polar_cells(
    conditions, lattice, beam, given, frame, shares, reach_sigma, outer_px, random, spots, where, patterns
):
    """Add the noise-free polar patterns of one phase, and return the intensity of the brightest spot of each.

    Parameters
    ----------
    conditions, lattice, beam, given, frame, random, spots, where
        As ``phase_profiles``.
    shares
        ``PixelShares``; the beam is at the centre of its frame.
    reach_sigma, outer_px
        Where a spot ends, σ, and where the cells end, pixels from the centre.
    patterns
        (n, cells) float32, added to: what the pixels that see electrons give to the mean over each cell.
    """
    brightest = np.zeros(where.shape[0])
    across = np.empty(shares.size, np.float32)
    middle = (shares.size - 1) / 2
    for i in range(where.shape[0]):
        n, top = spots_of_pattern(i, conditions, lattice, beam, given, frame, random, spots)
        brightest[i] = top
        sigma, hidden = conditions.sigma[i], conditions.hidden[i]
        reach = reach_sigma * sigma
        for j in range(n):
            x, y, intensity = spots.x_px[j], spots.y_px[j], spots.intensity[j]
            if intensity > 0.0 and math.sqrt(x * x + y * y) < outer_px + reach:
                share_spot(patterns[where[i]], shares, x + middle, y + middle, intensity, sigma, reach, hidden, across)
    return brightest


@kernel
def seen_cells(shares, hidden, parts, pixels):
    """Write which part of each cell sees electrons, and its effective pixels.

    Parameters
    ----------
    shares
        ``PixelShares``.
    hidden
        (n, 4) as ``Conditions``.
    parts, pixels
        (n, cells) float64, written: area that is left over the whole one, and (Σw)²/Σw² of it.
    """
    size, start, cell, weight = shares
    middle = (size - 1) / 2
    parts[:] = 0.0
    pixels[:] = 0.0
    for i in range(hidden.shape[0]):
        for row in range(size):
            for column in range(size):
                pixel = row * size + column
                if start[pixel] < start[pixel + 1] and sees(column - middle, row - middle, hidden[i]):
                    for k in range(start[pixel], start[pixel + 1]):
                        parts[i, cell[k]] += weight[k]
                        pixels[i, cell[k]] += weight[k] * weight[k]
        for c in range(parts.shape[1]):
            pixels[i, c] = parts[i, c] * parts[i, c] / pixels[i, c] if pixels[i, c] > 0.0 else 0.0


@kernel
def add_hot_pixels(patterns, shares, parts, hot, reading, hidden, seed, indices, purpose):
    """Let some pixels of a frame read ``reading`` instead of the mean of their cells, in place.

    Parameters
    ----------
    patterns, shares
        (n, cells) float32 and ``PixelShares``.
    parts
        (1 or n, cells) part of each cell that sees electrons.
    hot, reading
        (n,) probability of a pixel to be hot, and what it reads then.
    hidden
        (n, 4) as ``Conditions``: pixels that see nothing read nothing.
    seed, indices, purpose
        Address of the random numbers.
    """
    size, start, cell, weight = shares
    middle = (size - 1) / 2
    state = np.empty(4, np.uint64)
    for i in range(patterns.shape[0]):
        if hot[i] <= 0.0:
            continue
        seed_stream(seed, indices[i], purpose, state)
        part = parts[i if parts.shape[0] > 1 else 0]
        for _ in range(int(binomial(size * size, hot[i], state))):
            pixel = min(int(next_unit(state) * size * size), size * size - 1)
            row = pixel // size
            if sees(pixel - row * size - middle, row - middle, hidden[i]):
                for k in range(start[pixel], start[pixel + 1]):
                    share = weight[k] / part[cell[k]]
                    patterns[i, cell[k]] += share * (reading[i] - patterns[i, cell[k]])
