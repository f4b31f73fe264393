"""Whether what was taken for the direct beam is it: its brightness, and the inversion symmetry of diffraction."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_LARGEST = 256  # px: larger frames are binned to about that
_SMOOTHING_PX = 1.5
_BESIDE = 2.5  # times the radius of the disc: where other spots begin
_NEAR_PX = 2.0  # from the beam: its symmetry is looked for there
_OVERLAP = 0.25  # of the pixels that count: less of a pattern tells no symmetry
_FAINT = 0.3  # of the median, added below the logarithm


@dataclass(frozen=True, slots=True)
class BeamEvidence:
    """What speaks for the place of the direct beam.

    Attributes
    ----------
    times_brighter : float or None
        Its top over that of the brightest spot beside it, both smoothed; None: its disc was not used.
    symmetry : float
        Correlation of the mean pattern (logarithms) with itself turned by 180° about the beam; −1: too little of it is
        left beside it.
    best_symmetry : float
        The largest about any place.
    best_px : tuple of float
        Row and column of that place.
    """

    times_brighter: float | None
    symmetry: float
    best_symmetry: float
    best_px: tuple[float, float]


def beam_evidence(
    frames: np.ndarray, good: np.ndarray, centres: np.ndarray, disc_radius_px: float | None
) -> BeamEvidence:
    """Look for what speaks for the place of the beam in the mean of some patterns, moved onto each other.

    Mean patterns of many grains are symmetric about the beam alone. That of one crystal may be so about a spot, or
    about nothing.

    Parameters
    ----------
    frames, good
        (n, rows, columns) counts; (rows, columns) bool, True for pixels that count.
    centres
        (n, 2) row and column of each beam, px, by the drift.
    disc_radius_px
        Of the beam; None: its disc was not used.
    """
    centre = centres.mean(axis=0)
    mean, covered = _aligned_mean(frames, good, np.rint(centres - centre).astype(int))
    factor = math.ceil(max(mean.shape) / _LARGEST)
    smooth, covered = _smoothed(*_binned(mean, covered, factor))
    at = (centre + 0.5) / factor - 0.5
    brighter = None if disc_radius_px is None else _times_brighter(smooth, covered, at, disc_radius_px / factor)
    logarithm = np.log(np.maximum(smooth, 0.0) + _FAINT * max(float(np.median(smooth[covered])), 1.0 / len(frames)))
    about = _symmetry(logarithm, covered)
    rows, columns = (
        slice(max(math.floor(2 * (x - _NEAR_PX)), 0), max(math.ceil(2 * (x + _NEAR_PX)) + 1, 1)) for x in at
    )
    best = np.unravel_index(int(about.argmax()), about.shape)
    row, column = (float((i / 2 + 0.5) * factor - 0.5) for i in best)
    return BeamEvidence(brighter, float(about[rows, columns].max(initial=-1.0)), float(about.max()), (row, column))


def _aligned_mean(frames: np.ndarray, good: np.ndarray, shifts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of frames moved back by whole pixels, and where any of them counts."""
    total, number = np.zeros(good.shape), np.zeros(good.shape)
    for frame, (down, right) in zip(frames, shifts, strict=True):
        source, target = zip(*(_overlap(n, by) for n, by in zip(good.shape, (down, right), strict=True)), strict=True)
        counts = good[source] & np.isfinite(frame[source])
        np.add(total[target], frame[source], out=total[target], where=counts)
        number[target] += counts
    return total / np.maximum(number, 1), number > 0


def _overlap(length: int, by: int) -> tuple[slice, slice]:
    """Return which part of an axis is moved by −by pixels, and where to."""
    by = int(np.clip(by, -length, length))
    return slice(max(by, 0), length + min(by, 0)), slice(max(-by, 0), length + min(-by, 0))


def _binned(mean: np.ndarray, covered: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Return sums over squares of pixels and how many of these count; what is left at the edges is cut off."""
    rows, columns = (n // factor for n in mean.shape)
    shape = (rows, factor, columns, factor)
    cut = (slice(rows * factor), slice(columns * factor))
    total = np.where(covered, mean, 0.0)[cut].reshape(shape).sum(axis=(1, 3))
    return total, covered[cut].reshape(shape).sum(axis=(1, 3)).astype(float)


def _smoothed(total: np.ndarray, number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean counts smoothed by a Gaussian in which other pixels have no say, and which count."""
    from scipy import ndimage

    value, weight = (ndimage.gaussian_filter(of, _SMOOTHING_PX, mode="constant") for of in (total, number))
    return value / np.maximum(weight, 1e-6), number > 0


def _times_brighter(smooth: np.ndarray, covered: np.ndarray, at: np.ndarray, radius: float) -> float:
    y, x = np.indices(smooth.shape)
    distance = np.hypot(y - at[0], x - at[1])
    beam = smooth[covered & (distance <= radius + 1)].max(initial=0.0)
    beside = smooth[covered & (distance > _BESIDE * radius + 1)].max(initial=0.0)
    return float(beam / beside) if beside > 0 else math.inf


def _symmetry(values: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """Return correlations with what is turned about each half pixel: element (i, j) about row i/2, column j/2.

    Turned about there, a pattern is itself mirrored and moved; so all correlations are convolutions with itself, over
    the pixels that both cover (D. Padfield, IEEE Trans. Image Process. 21 (2012) 2706).
    """
    from scipy.signal import fftconvolve

    counts, values = covered.astype(float), np.where(covered, values - values[covered].mean(), 0.0)
    number, total, product, square = (
        fftconvolve(one, other)
        for one, other in ((counts, counts), (values, counts), (values, values), (values * values, counts))
    )
    enough = number > _OVERLAP * covered.sum()
    number = np.maximum(number, 1.0)
    variance = square - total * total / number
    enough &= variance > 1e-9 * square.max()
    return np.where(enough, (product - total * total / number) / np.where(enough, variance, 1.0), -1.0)
