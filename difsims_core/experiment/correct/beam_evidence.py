"""Whether what was taken for the direct beam is it: its brightness, and the inversion symmetry of diffraction."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

_LARGEST = 256  # px: larger frames are binned to about that
_SMOOTHING_PX = 1.5
_BESIDE = 2.5  # times the radius of the disc: where other spots begin
_NEAR_PX = 2.0  # from the beam: its symmetry is looked for there
_BESIDE_PX = 0.75  # of scans of few grains the centre of symmetry lies up to 0.65 px beside the beam
_NOISE = 3.0  # times what half of the patterns say differently from the other half
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
    beside_px : float
        How far from the beam the symmetry about places near it is largest; 0 unless that is farther than counting noise
        explains. A beam of which a stop hides a part lies beside it.
    """

    times_brighter: float | None
    symmetry: float
    best_symmetry: float
    best_px: tuple[float, float]
    beside_px: float = 0.0


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
    shifts = np.rint(centres - centres.mean(axis=0)).astype(int)
    at = (centres - shifts).mean(axis=0)
    factor = math.ceil(max(good.shape) / _LARGEST)
    at = (at + 0.5) / factor - 0.5
    halves = [_aligned_sum(frames[k::2], good, shifts[k::2]) for k in (0, 1)]
    whole = halves[0][0] + halves[1][0], halves[0][1] + halves[1][1]
    smooth, covered = _smooth_mean(*whole, factor)
    brighter = None if disc_radius_px is None else _times_brighter(smooth, covered, at, disc_radius_px / factor)
    about = _symmetry_about(smooth, covered, len(frames))
    near, off = _near(about, at)
    beside = math.hypot(*off) * factor
    if beside > _BESIDE_PX * factor and len(frames) > 1:
        each = (_symmetry_about(*_smooth_mean(*half, factor), len(frames) // 2) for half in halves)
        first, second = (_near(about_half, at)[1] for about_half in each)
        beside = beside if beside > _NOISE * math.dist(first, second) * factor else 0.0
    else:
        beside = 0.0
    best = np.unravel_index(int(about.argmax()), about.shape)
    row, column = (float((i / 2 + 0.5) * factor - 0.5) for i in best)
    return BeamEvidence(brighter, near, float(about.max()), (row, column), beside)


def _smooth_mean(total: np.ndarray, number: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of frames that were added up, binned and smoothed, and which pixels count."""
    return _smoothed(*_binned(total / np.maximum(number, 1), number > 0, factor))


def _symmetry_about(smooth: np.ndarray, covered: np.ndarray, n_frames: int) -> np.ndarray:
    """Return `_symmetry` of the logarithms of a mean of frames."""
    if not covered.any():
        return np.full((2 * smooth.shape[0] - 1, 2 * smooth.shape[1] - 1), -1.0)
    faint = _FAINT * max(float(np.median(smooth[covered])), 1.0 / n_frames)
    return _symmetry(np.log(np.maximum(smooth, 0.0) + faint), covered)


def _near(about: np.ndarray, at: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Return the largest symmetry about places near the beam, and rows and columns from there to it.

    About half pixels; between them by a parabola through the neighbours.
    """
    low = [max(math.floor(2 * (x - _NEAR_PX)), 0) for x in at]
    window = about[tuple(slice(i, max(math.ceil(2 * (x + _NEAR_PX)) + 1, i)) for i, x in zip(low, at, strict=True))]
    if not window.size:
        return -1.0, (0.0, 0.0)
    place = [int(i) for i in np.unravel_index(int(window.argmax()), window.shape)]
    off = []
    for axis, i in enumerate(place):
        line = window[:, place[1]] if axis == 0 else window[place[0]]
        bend = line[i - 1] - 2 * line[i] + line[i + 1] if 0 < i < len(line) - 1 else 0.0
        between = 0.5 * (line[i - 1] - line[i + 1]) / bend if bend < 0 else 0.0
        off.append(float((low[axis] + i + between) / 2 - at[axis]))
    return float(window.max()), (off[0], off[1])


def _aligned_sum(frames: np.ndarray, good: np.ndarray, shifts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of frames moved back by whole pixels, and in how many of them each pixel counts."""
    total, number = np.zeros(good.shape), np.zeros(good.shape)
    for frame, (down, right) in zip(frames, shifts, strict=True):
        source, target = zip(*(_overlap(n, by) for n, by in zip(good.shape, (down, right), strict=True)), strict=True)
        counts = good[source] & np.isfinite(frame[source])
        np.add(total[target], frame[source], out=total[target], where=counts)
        number[target] += counts
    return total, number


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
