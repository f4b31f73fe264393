"""Points of detector pixels in polar coordinates (docs/physics.md §17)."""

from __future__ import annotations

import math

from difsims_core.kernels.compile import kernel


@kernel
def points_to_polar(pixels, points, beam, undistort, scale, out):
    """Write radius and azimuth of the same points of many pixels; the azimuths of one pixel hang together.

    Parameters
    ----------
    pixels, points
        (n, 2) rows and columns, and (m, 2) rows and columns within a pixel.
    beam, undistort, scale
        (row, column) of the beam; (2, 2), true = undistort · recorded; Å⁻¹ per pixel.
    out
        (n, m, 2) float64, written: q (Å⁻¹), and the azimuth from +x towards +y: that of the middle of the pixel in
        0 … 2π, the others at most π away from it.
    """
    for i in range(len(pixels)):
        y, x = pixels[i, 0] - beam[0], pixels[i, 1] - beam[1]
        middle_y = undistort[0, 0] * y + undistort[0, 1] * x
        middle_x = undistort[1, 0] * y + undistort[1, 1] * x
        middle = math.atan2(middle_y, middle_x)
        if middle < 0.0:
            middle += 2.0 * math.pi
        for k in range(len(points)):
            down, right = y + points[k, 0], x + points[k, 1]
            true_y = undistort[0, 0] * down + undistort[0, 1] * right
            true_x = undistort[1, 0] * down + undistort[1, 1] * right
            turn = math.atan2(true_y * middle_x - true_x * middle_y, true_x * middle_x + true_y * middle_y)
            out[i, k, 0] = math.sqrt(true_x * true_x + true_y * true_y) * scale
            out[i, k, 1] = middle + turn
