"""Polar patterns on a reduced grid, from the pixels that cells share (docs/physics.md §12)."""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.image.images import render_spot
from difsims_core.kernels.polar.lattice import add_nodes, add_wide_spots, reach_of
from difsims_core.kernels.profile.pattern import spots_of_pattern
from difsims_core.kernels.random.counter_rng import next_unit, seed_stream
from difsims_core.kernels.random.poisson import binomial

AT_PIXELS, BY_IMAGE = -1, -2
"""How spots reach cells, where not by the nodes of a class of σ: each by its pixels, or all by those of an image."""


@kernel
def sees(x, y, hidden):
    """Return whether a pixel at (x, y) from the centre, pixels, lies beyond the beam stop and beside the gap."""
    across = y if hidden[3] > 0.0 else x
    return math.sqrt(x * x + y * y) >= hidden[0] and abs(across - hidden[2]) >= 0.5 * hidden[1]


@kernel
def hide(image, hidden):
    """Set what a beam stop and a gap hide of a square image to 0; ``hidden`` (4,) as ``Conditions``."""
    size = image.shape[0]
    middle = (size - 1) / 2
    for row in range(size):
        for column in range(size):
            if not sees(column - middle, row - middle, hidden):
                image[row, column] = np.float32(0)


@kernel
def share_image(image, of_cells, pattern):
    """Add the means of an image (size²,) float32 over cells to a pattern (cells,) float32.

    Four sums at a time: one alone waits for each of its additions.
    """
    for cell in range(pattern.shape[0]):
        k, stop = of_cells.start[cell], of_cells.start[cell + 1]
        first = second = third = fourth = np.float32(0)
        while k + 4 <= stop:
            first += image[of_cells.pixel[k]] * of_cells.weight[k]
            second += image[of_cells.pixel[k + 1]] * of_cells.weight[k + 1]
            third += image[of_cells.pixel[k + 2]] * of_cells.weight[k + 2]
            fourth += image[of_cells.pixel[k + 3]] * of_cells.weight[k + 3]
            k += 4
        while k < stop:
            first += image[of_cells.pixel[k]] * of_cells.weight[k]
            k += 1
        pattern[cell] += (first + second) + (third + fourth)


@kernel
def share_spot(pattern, of_pixels, size, x, y, intensity, sigma, reach, across):
    """Add a spot to a pattern (cells,) float32, pixel by pixel; parameters as ``render_spot`` on size² pixels."""
    first = max(0, int(math.ceil(x - reach)))
    last = min(size - 1, int(math.floor(x + reach))) + 1
    falloff = 1.0 / (2.0 * sigma * sigma)
    for column in range(first, last):
        across[column - first] = math.exp(-((column - x) ** 2) * falloff)
    height = intensity * falloff / math.pi
    for row in range(max(0, int(math.ceil(y - reach))), min(size - 1, int(math.floor(y + reach))) + 1):
        along = np.float32(height * math.exp(-((row - y) ** 2) * falloff))
        half = math.sqrt(max(reach * reach - (row - y) ** 2, 0.0))
        for column in range(max(first, int(math.ceil(x - half))), min(last, int(math.floor(x + half)) + 1)):
            value, pixel = along * across[column - first], row * size + column
            for k in range(of_pixels.start[pixel], of_pixels.start[pixel + 1]):
                pattern[of_pixels.cell[k]] += value * of_pixels.weight[k]


@kernel
def phase_polar_cells(conditions, lattice, beam, given, frame, cells, ends, random, spots, where, patterns):
    """Add the noise-free polar patterns of one phase, and return the intensity of the brightest spot of each.

    Parameters
    ----------
    conditions, lattice, beam, given, frame, random, spots, where
        As ``phase_profiles``.
    cells
        (m,) how the spots of each pattern reach the cells: a class of σ, ``AT_PIXELS`` or ``BY_IMAGE``;
        ``CellLattices``, ``PixelsOfCells``, ``SharesOfPixels``, and the pixels along one edge of the frame, at whose
        centre the beam is. What a beam stop or a gap hides is left out of images alone.
    ends
        Part of the height of the brightest spot to which a spot has fallen where it ends, where it ends at the latest,
        σ, and where the cells end, pixels from the centre.
    patterns
        (n, cells) float32, added to: what the pixels that see electrons give to the mean over each cell.
    """
    routes, nodes_of_cells, of_cells, of_pixels, size = cells
    faint, most_sigma, outer_px = ends
    brightest = np.zeros(where.shape[0])
    image, across = np.empty((size, size), np.float32), np.empty(size, np.float32)
    nodes, work = np.zeros(nodes_of_cells.n_nodes, np.float32), np.empty((4, nodes_of_cells.most), np.float32)
    middle = (size - 1) / 2
    for i in range(where.shape[0]):
        n, top = spots_of_pattern(i, conditions, lattice, beam, given, frame, random, spots)
        brightest[i] = top
        route, sigma, pattern = routes[i], conditions.sigma[i], patterns[where[i]]
        least = faint * top / (conditions.points[i] if conditions.disc[i] > 0.0 else 1)
        if route >= 0:
            add_wide_spots(nodes, nodes_of_cells, route, spots, n, sigma, (least, most_sigma, outer_px), work)
            add_nodes(nodes, nodes_of_cells, route, pattern, work)
            continue
        if route == BY_IMAGE:
            image[:] = np.float32(0)
        for j in range(n):
            x, y, intensity = spots.x_px[j], spots.y_px[j], spots.intensity[j]
            reach = sigma * reach_of(intensity, least, most_sigma)
            if reach == 0.0 or math.sqrt(x * x + y * y) >= outer_px + reach:
                continue
            if route == BY_IMAGE:
                render_spot(image, x + middle, y + middle, intensity, sigma, reach, across)
            else:
                share_spot(pattern, of_pixels, size, x + middle, y + middle, intensity, sigma, reach, across)
        if route == BY_IMAGE:
            hide(image, conditions.hidden[i])
            share_image(image.ravel(), of_cells, pattern)
    return brightest


@kernel
def seen_cells(of_cells, size, hidden, parts, pixels):
    """Write which part of each cell sees electrons, and its effective pixels.

    Parameters
    ----------
    of_cells, size
        As ``phase_polar_cells``.
    hidden
        (n, 4) as ``Conditions``.
    parts, pixels
        (n, cells) float64, written: area that is left over the whole one, and (Σw)²/Σw² of it.
    """
    seen = np.empty((size, size), np.float32)
    for i in range(hidden.shape[0]):
        seen[:] = np.float32(1)
        hide(seen, hidden[i])
        flat = seen.ravel()
        for cell in range(parts.shape[1]):
            total = squares = 0.0
            for k in range(of_cells.start[cell], of_cells.start[cell + 1]):
                weight = of_cells.weight[k] * flat[of_cells.pixel[k]]
                total += weight
                squares += weight * weight
            parts[i, cell] = total
            pixels[i, cell] = total * total / squares if squares > 0.0 else 0.0


@kernel
def add_hot_pixels(patterns, shares, size, parts, hot, reading, hidden, seed, indices, purpose):
    """Let some pixels of a frame read ``reading`` instead of the mean of their cells, in place.

    Parameters
    ----------
    patterns, shares, size
        (n, cells) float32, ``SharesOfPixels``, and the pixels along one edge of the frame.
    parts
        (1 or n, cells) part of each cell that sees electrons.
    hot, reading
        (n,) probability of a pixel to be hot, and what it reads then.
    hidden
        (n, 4) as ``Conditions``: pixels that see nothing read nothing.
    seed, indices, purpose
        Address of the random numbers.
    """
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
                for k in range(shares.start[pixel], shares.start[pixel + 1]):
                    cell = shares.cell[k]
                    patterns[i, cell] += shares.weight[k] / part[cell] * (reading[i] - patterns[i, cell])
