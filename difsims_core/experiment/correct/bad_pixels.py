"""Pixels of a detector that do not count, by their mean and variance over the scan (docs/physics.md §17)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_FAR = 8.0  # robust standard deviations from what the neighbours read
_NEIGHBOURS = 5  # px: edge of the square whose median is the neighbours' reading
_LINES = 9  # across which the median of lines is taken
_HOT = 3.0  # times the largest neighbour but one
_DARK = 0.02  # of the neighbours, where those are bright enough to tell
_BRIGHT_ENOUGH = 25.0  # counts over all patterns looked at
_LOWEST = 0.01  # share of the pixels below what is taken for the lowest reading
_MOST = 0.05  # of the detector: more are no single pixels


@dataclass(frozen=True, slots=True)
class BadPixels:
    """Which pixels count, and why others do not.

    Attributes
    ----------
    good : (rows, columns) bool
        True for pixels that count.
    n_given, n_dead, n_hot, n_not_finite : int
        Pixels left out: by the mask that was given; that read next to nothing; that read far more than all around; that
        are no numbers.
    """

    good: np.ndarray
    n_given: int
    n_dead: int
    n_hot: int
    n_not_finite: int = 0

    @property
    def share(self) -> float:
        """Share of the detector that does not count."""
        return 1.0 - float(self.good.mean())


def find_bad_pixels(mean: np.ndarray, variance: np.ndarray, n_patterns: int, given: np.ndarray | None) -> BadPixels:
    """Find dead and hot pixels beside those that are given.

    A dead pixel reads nothing where its neighbours count. A hot one reads far more than all its neighbours, and varies
    less than counting does, or it is brighter than a spot can be: the width of a spot reaches its neighbours too.
    Readings from which a background was taken off begin below zero; they are lifted until they begin at it, and both
    must then stand out of the noise of that background.

    Parameters
    ----------
    mean, variance
        (rows, columns) over the patterns looked at.
    n_patterns
        Number of these.
    given
        (rows, columns) bool, True for pixels that count; None: nothing is given.
    """
    from scipy import ndimage

    usable = np.ones(mean.shape, bool) if given is None else given
    finite = np.isfinite(mean) & np.isfinite(variance)
    counted = mean[usable & finite]
    lift = max(-float(np.quantile(counted, _LOWEST)), 0.0) if counted.size else 0.0
    least = _FAR * math.sqrt(float(np.median(variance[usable & finite])) / n_patterns) if lift else 0.0
    mean = mean + lift
    filled = np.where(usable & finite, mean, np.nan)
    around = _median_around(filled)
    dead = usable & finite & (around * n_patterns > _BRIGHT_ENOUGH) & (mean < _DARK * around - least)
    dead |= usable & finite & _dead_lines(filled, n_patterns)
    ordinary = np.where(usable & finite & ~dead, mean, 0.0)
    footprint = np.ones((3, 3), bool)
    footprint[1, 1] = False
    neighbours = ndimage.rank_filter(ordinary, -2, footprint=footprint, mode="nearest")
    noise = np.sqrt(np.maximum(neighbours, 1.0 / n_patterns) / n_patterns)
    hot = usable & finite & ~dead & (mean > _HOT * neighbours + _FAR * noise + least)
    hot &= (variance < 0.5 * mean) | (mean > 2 * _HOT * neighbours + 2 * _FAR * noise)
    if (dead | hot).mean() > _MOST:  # a beam stop or a frame of nothing is no set of single pixels
        dead = np.zeros_like(dead)
    if hot.mean() > _MOST:
        hot = np.zeros_like(hot)
    good = usable & finite & ~dead & ~hot
    return BadPixels(good, int((~usable).sum()), int(dead.sum()), int(hot.sum()), int((usable & ~finite).sum()))


def _dead_lines(mean: np.ndarray, n_patterns: int) -> np.ndarray:
    """Return the pixels of half columns and half rows that read next to nothing where the lines beside them count.

    A faint pixel alone tells little, a line of them all: readout fails by lines, on one half of a detector.
    """
    from scipy import ndimage

    dead = np.zeros(mean.shape, bool)
    for lines, marked in ((mean, dead), (mean.T, dead.T)):  # columns, then rows
        for half in np.array_split(np.arange(len(lines)), 2):
            total = np.nansum(lines[half], axis=0)
            around = ndimage.median_filter(total, _LINES, mode="nearest")
            enough = around * n_patterns > _BRIGHT_ENOUGH
            marked[np.ix_(half, enough & (total < _DARK * around))] = True
    return dead


def _median_around(values: np.ndarray) -> np.ndarray:
    """Return the median of the square around each pixel, of those that are not NaN; 0 where all are."""
    from scipy import ndimage

    low = np.where(np.isnan(values), -np.inf, values)
    return np.maximum(ndimage.median_filter(low, _NEIGHBOURS, mode="nearest"), 0.0)
