"""Spots of a measured frame: where it is brighter than its surroundings by more than counting explains."""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel

_BOX = 12  # px: the surroundings reach so far in each direction
_PEAK = 3  # px: the brightest of its surroundings is a spot, and within them lies its centre of mass
_ELECTRONS = 3.0  # times a variance: one and a half electrons alone, smoothed, are no spot
_SHARE_OF_SPOTS = 2.0  # what is brighter than so many times the mean of its surroundings does not count among them


@kernel
def find_spots(frame, good, centre, smoothing, radii, significance, found):
    """Find the spots of one frame; return how many.

    The frame is smoothed by a Gaussian; a spot is a maximum above the mean of its surroundings by ``significance``
    standard deviations of counting. Its place is the centre of mass of what exceeds the surroundings.

    Parameters
    ----------
    frame, good
        (rows, columns) counts, and bool: True for pixels that count.
    centre
        (row, column) of the direct beam, pixels.
    smoothing
        Standard deviation of the Gaussian, px.
    radii
        (nearest, farthest) distance from the beam at which spots are looked for, px.
    significance
        Standard deviations.
    found
        (most, 3) float64, written: row and column relative to the beam (px), counts. Spots beyond its length are
        left out.
    """
    rows, columns = frame.shape
    smooth = _smoothed(frame, good, smoothing)
    around = _box_means(smooth, smooth, np.inf)
    around = _box_means(smooth, around, _SHARE_OF_SPOTS)
    quiet = 1.0 / (4.0 * math.pi * smoothing**2)  # variance of the smoothed counts over their mean
    n = 0
    for y in range(_PEAK, rows - _PEAK):
        for x in range(_PEAK, columns - _PEAK):
            distance = math.sqrt((y - centre[0]) ** 2 + (x - centre[1]) ** 2)
            if distance < radii[0] or distance > radii[1] or n == len(found):
                continue
            level = max(around[y, x], 1e-3)
            if smooth[y, x] - level <= significance * math.sqrt(level * quiet) + _ELECTRONS * quiet:
                continue
            if _is_peak(smooth, good, y, x):
                n += _place(frame, level, y, x, centre, found[n])
    return n


@kernel
def _smoothed(frame, good, sigma):
    """Return the frame smoothed by a Gaussian in which bad pixels have no say."""
    rows, columns = frame.shape
    reach = int(math.ceil(3.0 * sigma))
    bell = np.empty(2 * reach + 1)
    for k in range(-reach, reach + 1):
        bell[k + reach] = math.exp(-0.5 * (k / sigma) ** 2)
    value, weight = np.zeros((rows, columns)), np.zeros((rows, columns))
    for y in range(rows):
        for x in range(columns):
            if good[y, x] and frame[y, x] == frame[y, x]:
                for k in range(max(-reach, -x), min(reach, columns - 1 - x) + 1):
                    value[y, x + k] += bell[k + reach] * frame[y, x]
                    weight[y, x + k] += bell[k + reach]
    out = np.empty((rows, columns))
    for y in range(rows):
        low, high = max(-reach, -y), min(reach, rows - 1 - y)
        for x in range(columns):
            total = weights = 0.0
            for k in range(low, high + 1):
                total += bell[k + reach] * value[y + k, x]
                weights += bell[k + reach] * weight[y + k, x]
            out[y, x] = total / weights if weights > 0.0 else 0.0
    return out


@kernel
def _box_means(values, level, most):
    """Return the mean over a square around each pixel, of values of at most ``most`` times the level there."""
    rows, columns = values.shape
    total = np.zeros((rows + 1, columns + 1))
    number = np.zeros((rows + 1, columns + 1))
    for y in range(rows):
        for x in range(columns):
            counts = values[y, x] <= most * level[y, x]
            total[y + 1, x + 1] = total[y, x + 1] + total[y + 1, x] - total[y, x] + (values[y, x] if counts else 0.0)
            number[y + 1, x + 1] = number[y, x + 1] + number[y + 1, x] - number[y, x] + (1.0 if counts else 0.0)
    out = np.empty((rows, columns))
    for y in range(rows):
        a, b = max(y - _BOX, 0), min(y + _BOX + 1, rows)
        for x in range(columns):
            c, d = max(x - _BOX, 0), min(x + _BOX + 1, columns)
            n = number[b, d] - number[a, d] - number[b, c] + number[a, c]
            out[y, x] = (total[b, d] - total[a, d] - total[b, c] + total[a, c]) / n if n > 0.0 else values[y, x]
    return out


@kernel
def _is_peak(smooth, good, y, x):
    """Return whether a pixel is the brightest of its surroundings, all of which count."""
    for b in range(y - _PEAK, y + _PEAK + 1):
        for a in range(x - _PEAK, x + _PEAK + 1):
            if not good[b, a] or smooth[b, a] > smooth[y, x]:
                return False
    return True


@kernel
def _place(frame, level, y, x, centre, spot):
    """Write the centre of mass and the counts of a spot; return 1, or 0 where nothing exceeds the surroundings."""
    total = down = right = 0.0
    for b in range(-_PEAK, _PEAK + 1):
        for a in range(-_PEAK, _PEAK + 1):
            excess = (frame[y + b, x + a] - level) * math.exp(-(a * a + b * b) / 8.0)
            if excess > 0.0:
                total += excess
                down += excess * b
                right += excess * a
    if total <= 0.0:
        return 0
    spot[0], spot[1], spot[2] = y + down / total - centre[0], x + right / total - centre[1], total
    return 1
