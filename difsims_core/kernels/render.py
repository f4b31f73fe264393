"""Spots to a detector image (PHYSICS §5)."""

from __future__ import annotations

import math

from difsims_core.kernels.compile import kernel


@kernel
def render_spots(hits, n, per_px, sigma, reach, image):
    """Add ``n`` Gaussian spots of unit volume times intensity to an image, row by row.

    Parameters
    ----------
    hits
        (max_hits, 3) g_x, g_y in Å⁻¹ and intensity.
    per_px
        Å⁻¹ per pixel.
    sigma, reach
        Standard deviation of a spot and where it ends, pixels.
    image
        (ny, nx); the beam is at the centre of the frame, x runs along columns, y along rows.
    """
    ny, nx = image.shape
    for j in range(n):
        x = hits[j, 0] / per_px + (nx - 1) / 2
        y = hits[j, 1] / per_px + (ny - 1) / 2
        height = hits[j, 2] / (2.0 * math.pi * sigma * sigma)
        for row in range(max(0, int(math.ceil(y - reach))), min(ny - 1, int(math.floor(y + reach))) + 1):
            along_y = height * math.exp(-((row - y) ** 2) / (2.0 * sigma * sigma))
            for column in range(max(0, int(math.ceil(x - reach))), min(nx - 1, int(math.floor(x + reach))) + 1):
                image[row, column] += along_y * math.exp(-((column - x) ** 2) / (2.0 * sigma * sigma))
