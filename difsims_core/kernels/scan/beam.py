"""The centre of a direct beam: the centre of mass of its disc, cut off well below the top (docs/physics.md §17)."""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel

FLOOR, CEILING = 0.03, 0.35  # of the level of the disc: what lies between is weighed
_MOST_STEPS = 8
_STILL = 0.005  # px: the centre has come to rest
_NEAR = 1.0  # px a centre may move before the window follows
_POLE = math.sqrt(3.0) - 2.0  # of the cubic spline's filter


@kernel
def beam_centre(frame, good, start, radius, fine, out):
    """Find the centre of the direct beam in one frame.

    A thick crystal darkens parts of the disc, which moves its centre of mass by up to half a pixel; its outline stays.
    So the frame is interpolated (cubic spline, ``fine`` points a pixel), values above 0.35 of the level of the disc
    count as 0.35, and the centre of mass of that is taken within a circle that follows the centre.

    Parameters
    ----------
    frame, good
        (rows, columns) counts, and bool: True for pixels that count; others are filled from their neighbours.
    start
        (row, column) to begin with, pixels.
    radius
        Of the circle, pixels: larger than the disc, smaller than the distance of the first spots.
    fine
        Points a pixel, 1 or more.
    out
        (4,) float64, written: row and column of the centre, its counting error along one axis (px), counts of the disc.
        The centre is NaN where there are no counts.
    """
    y, x = start[0], start[1]
    half = int(math.ceil(radius)) + 3
    size = 2 * half + 1
    patch = np.empty((size, size))
    points = 2 * half * fine + 1
    dense = np.empty((points, points))
    weights = _weights(fine)
    row = column = -1
    level = 0.0
    for _ in range(_MOST_STEPS):
        if row < 0 or abs(y - row) > _NEAR or abs(x - column) > _NEAR:
            row, column = int(round(y)), int(round(x))
            _cut_out(frame, good, row, column, half, patch)
            _interpolate(patch, fine, weights, dense)
            level = _level(patch, y - row + half, x - column + half, radius)
        if level <= 0.0:
            out[:] = np.nan
            out[3] = 0.0
            return
        total = along_y = along_x = 0.0
        for i in range(points):
            v = i / fine - half + row - y
            for j in range(points):
                u = j / fine - half + column - x
                inside = radius + 0.5 - math.sqrt(u * u + v * v)
                if inside > 0.0:
                    h = (min(dense[i, j], CEILING * level) - FLOOR * level) * min(inside, 1.0)
                    if h > 0.0:
                        total += h
                        along_y += h * v
                        along_x += h * u
        if total <= 0.0:
            break
        y, x = y + along_y / total, x + along_x / total
        if abs(along_y) + abs(along_x) < _STILL * total:
            break
    counts, spread = _moments(patch, y - row + half, x - column + half, radius)
    out[0], out[1], out[3] = y, x, counts
    out[2] = math.sqrt(spread / 2.0) / counts if counts > 0.0 else np.inf


@kernel
def beam_centres(frames, good, starts, radius, fine, out):
    """Find the centres of the direct beam in (n, rows, columns) frames; see ``beam_centre``; ``out`` is (n, 4)."""
    for k in range(len(frames)):
        beam_centre(frames[k], good, starts[k], radius, fine, out[k])


@kernel
def _cut_out(frame, good, row, column, half, patch):
    """Copy a square of the frame; what is bad, or beside the frame, becomes the mean of its good neighbours."""
    rows, columns = frame.shape
    for i in range(2 * half + 1):
        for j in range(2 * half + 1):
            y, x = row - half + i, column - half + j
            if 0 <= y < rows and 0 <= x < columns and good[y, x]:
                patch[i, j] = frame[y, x]
                continue
            total, n = 0.0, 0
            for reach in range(1, 4):
                for b in range(max(y - reach, 0), min(y + reach + 1, rows)):
                    for a in range(max(x - reach, 0), min(x + reach + 1, columns)):
                        if good[b, a]:
                            total += frame[b, a]
                            n += 1
                if n > 0:
                    break
            patch[i, j] = total / n if n > 0 else 0.0


@kernel
def _weights(fine):
    """Return (fine, 4): what a cubic B-spline takes of four neighbouring coefficients at each fraction of a pixel."""
    weights = np.empty((fine, 4))
    for k in range(fine):
        t = k / fine
        weights[k, 0] = (1.0 - t) ** 3 / 6.0
        weights[k, 1] = 2.0 / 3.0 - t * t + t**3 / 2.0
        weights[k, 3] = t**3 / 6.0
        weights[k, 2] = 1.0 - weights[k, 0] - weights[k, 1] - weights[k, 3]
    return weights


@kernel
def _interpolate(patch, fine, weights, dense):
    """Interpolate a square patch: first its rows, then its columns."""
    size, points = len(patch), len(dense)
    half_done = np.empty((size, points))
    line = np.empty(size)
    for i in range(size):
        line[:] = patch[i]
        _to_spline(line)
        _along(line, fine, weights, half_done[i])
    for j in range(points):
        line[:] = half_done[:, j]
        _to_spline(line)
        _along(line, fine, weights, dense[:, j])


@kernel
def _to_spline(line):
    """Turn values into the coefficients of their cubic spline, beyond whose ends the outermost values are repeated.

    M. Unser, IEEE Signal Processing Magazine 16 (1999) 22, box 2.
    """
    n = len(line)
    line[0] *= 6.0 / (1.0 - _POLE)
    for k in range(1, n):
        line[k] = 6.0 * line[k] + _POLE * line[k - 1]
    line[n - 1] *= -_POLE / (1.0 - _POLE)
    for k in range(n - 2, -1, -1):
        line[k] = _POLE * (line[k + 1] - line[k])


@kernel
def _along(line, fine, weights, values):
    """Write the values of a spline of such coefficients, ``fine`` points a pixel."""
    last = len(line) - 1
    for j in range(len(values)):
        whole, part = j // fine, j % fine
        value = 0.0
        for k in range(4):
            value += weights[part, k] * line[min(max(whole + k - 1, 0), last)]
        values[j] = value


@kernel
def _level(patch, y, x, radius):
    """Return how bright the disc is: the mean of its pixels, each weighed by its own brightness."""
    first = second = 0.0
    for i in range(len(patch)):
        for j in range(len(patch)):
            if (i - y) ** 2 + (j - x) ** 2 <= radius * radius and patch[i, j] > 0.0:
                first += patch[i, j]
                second += patch[i, j] ** 2
    return second / first if first > 0.0 else 0.0


@kernel
def _moments(patch, y, x, radius):
    """Return the counts within the circle, and their sum weighed by the square of the distance from its centre."""
    counts = spread = 0.0
    for i in range(len(patch)):
        for j in range(len(patch)):
            square = (i - y) ** 2 + (j - x) ** 2
            if square <= radius * radius and patch[i, j] > 0.0:
                counts += patch[i, j]
                spread += patch[i, j] * square
    return counts, spread
