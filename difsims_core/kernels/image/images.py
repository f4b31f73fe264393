"""Noise-free detector images of one phase (docs/physics.md §5)."""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.profile.pattern import spots_of_pattern


@kernel
def render_spot(image, x, y, intensity, sigma, reach, across):
    """Add a Gaussian spot of unit volume times intensity to an image.

    Parameters
    ----------
    image
        (ny, nx) float32.
    x, y
        Column and row of the spot's centre.
    intensity, sigma, reach
        Intensity, standard deviation and where the spot ends, pixels.
    across
        Work space, (nx,) float32.
    """
    ny, nx = image.shape
    first = max(0, int(math.ceil(x - reach)))
    last = min(nx - 1, int(math.floor(x + reach))) + 1
    if last <= first:
        return
    falloff = 1.0 / (2.0 * sigma * sigma)
    value, ratio = math.exp(-((first - x) ** 2) * falloff), math.exp(-(2.0 * (first - x) + 1.0) * falloff)
    step = math.exp(-2.0 * falloff)
    for column in range(first, last):  # each ratio of neighbours is the last one times the same step
        across[column] = value
        value *= ratio
        ratio *= step
    height = intensity * falloff / math.pi
    for row in range(max(0, int(math.ceil(y - reach))), min(ny - 1, int(math.floor(y + reach))) + 1):
        along = np.float32(height * math.exp(-((row - y) ** 2) * falloff))
        line = image[row]
        for column in range(first, last):
            line[column] += along * across[column]


@kernel
def phase_images(conditions, lattice, beam, given, frame, reach_sigma, random, spots, where, images):
    """Add the noise-free images of patterns of one phase, and return the intensity of the brightest spot of each.

    Parameters
    ----------
    conditions, lattice, beam, given, frame, random, spots, where
        As ``phase_profiles``; the beam is at the centre of the frame, x runs along columns, y along rows.
    reach_sigma
        Where a spot ends, σ.
    images
        (n, ny, nx) float32, added to: intensity per pixel, sampled at the pixel centres.
    """
    ny, nx = images.shape[1], images.shape[2]
    brightest = np.zeros(where.shape[0])
    across = np.empty(nx, np.float32)
    for i in range(where.shape[0]):
        n, top = spots_of_pattern(i, conditions, lattice, beam, given, frame, random, spots)
        brightest[i] = top
        sigma = conditions.sigma[i]
        for j in range(n):
            x, y = spots.x_px[j] + (nx - 1) / 2, spots.y_px[j] + (ny - 1) / 2
            render_spot(images[where[i]], x, y, spots.intensity[j], sigma, reach_sigma * sigma, across)
    return brightest


@kernel
def add_radial(images, place, shapes, level):
    """Add level (n,) times a radial function to each image, in place.

    ``place`` (ny, nx) float32 says where on the points of ``shapes`` (n, n_points) each pixel lies; between two points
    the function is a straight line.
    """
    for i in range(images.shape[0]):
        shape, amount = shapes[i], np.float32(level[i])
        for row in range(images.shape[1]):
            line, at = images[i, row], place[row]
            for x in range(line.shape[0]):
                point = int(at[x])
                f = at[x] - np.float32(point)
                line[x] += amount * (shape[point] + f * (shape[point + 1] - shape[point]))
