"""Measured peaks against the lines of a phase: a lattice scale, then one line for one peak (docs/physics.md §10)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from difsims_core.evaluate.base import ratio
from difsims_core.evaluate.powder_lines import PowderLines, merge_lines, powder_lines

if TYPE_CHECKING:
    from difsims_core.crystal.reflections import ReflectionList


@dataclass(frozen=True)
class PeakOptions:
    """How peaks are found and matched.

    Attributes
    ----------
    min_prominence
        Of a measured peak, as a fraction of the range of its mean profile; the counting noise of the mean of
        a few hundred pixels is 0.1–0.4 % of that range.
    tolerance_bins
        A peak and a line match within this many bins of the q axis.
    resolution_bins
        Lines closer than this merge: two maxima on a grid are at least two bins apart.
    max_scale_deviation
        The lattice scale is fitted within 1 ± this.
    min_intensity
        Of |F|² relative to the strongest: what counts as non-negligible for the historical distance.
    visible_strength, strong_strength
        Relative to the strongest line (`powder_lines`): a measured peak may match any visible line (precision); a phase
        is expected to show its strong lines (recall).
    """

    min_prominence: float = 0.01
    tolerance_bins: float = 1.0
    resolution_bins: float = 2.0
    max_scale_deviation: float = 0.03
    min_intensity: float = 1e-4
    visible_strength: float = 0.01
    strong_strength: float = 0.1


@dataclass(frozen=True)
class AllowedLines:
    """The lines of one phase as the metrics need them.

    Attributes
    ----------
    every
        All lines of non-negligible |F|² in the measured range: for the historical distance.
    visible
        Merged to the resolution of the profile, visible ones only, over the range that the scale fit can reach.
    """

    every: PowderLines
    visible: PowderLines

    @classmethod
    def of(cls, reflections: ReflectionList, q: np.ndarray, options: PeakOptions) -> AllowedLines:
        """Collect the lines of a phase for profiles on the axis ``q``; see `q_max_needed` for the reflections."""
        bin_width = float(np.median(np.diff(q)))
        reach = 1.0 + options.max_scale_deviation
        around = powder_lines(reflections, (float(q[0]) / reach, float(q[-1]) * reach), options.min_intensity)
        visible = merge_lines(around, options.resolution_bins * bin_width)
        return cls(
            every=around.between(float(q[0]), float(q[-1])),
            visible=visible.between(0.0, np.inf, options.visible_strength),
        )


def q_max_needed(q: np.ndarray, options: PeakOptions) -> float:
    """Return the largest |g|, Å⁻¹, whose line the scale fit can bring into the measured range."""
    return float(q[-1]) * (1.0 + options.max_scale_deviation)


@dataclass(frozen=True)
class Match:
    """How well measured peaks and one phase agree.

    Attributes
    ----------
    mean_distance_per_angstrom
        The historical metric: mean distance of the peaks to the nearest non-negligible line at scale 1. None without
        lines.
    scale, scale_at_limit
        Fitted isotropic lattice scale; lines lie at |g|/scale. At the limit of what was allowed it means little.
    n_peaks, n_matched
        Measured peaks, and those with a visible line of their own within the tolerance.
    matched
        Indices of the matched peaks.
    n_strong, n_strong_found
        Strong lines in the measured range, and those with a peak of their own.
    rms_per_angstrom
        Root mean square distance of the matched pairs after the fit; None without pairs.
    chance_precision
        Fraction of the measured range that lies within the tolerance of a visible line: about the precision that peaks
        at random positions would reach before any fit.
    """

    mean_distance_per_angstrom: float | None
    scale: float
    scale_at_limit: bool
    n_peaks: int
    n_matched: int
    matched: tuple[int, ...]
    n_strong: int
    n_strong_found: int
    rms_per_angstrom: float | None
    chance_precision: float

    @property
    def precision(self) -> float | None:
        """Fraction of the measured peaks that the phase explains."""
        return ratio(self.n_matched, self.n_peaks)

    @property
    def recall(self) -> float | None:
        """Fraction of the strong lines that were measured."""
        return ratio(self.n_strong_found, self.n_strong)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 0 where either is 0 or undefined."""
        precision, recall = self.precision or 0.0, self.recall or 0.0
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    def to_document(self) -> dict[str, Any]:
        """Return all of it as plain JSON values."""
        return (
            asdict(self)
            | {"matched": list(self.matched)}
            | {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        )


def match_phase(peaks_q: np.ndarray, lines: AllowedLines, q: np.ndarray, options: PeakOptions) -> Match:
    """Fit the lattice scale of a phase to measured peaks, match one to one and count.

    Parameters
    ----------
    peaks_q : (m,)
        Measured positions, Å⁻¹.
    lines
        Of the phase, made for the same axis and options.
    q : (n,)
        The measured axis, Å⁻¹.
    """
    tolerance = options.tolerance_bins * float(np.median(np.diff(q)))
    scale = fit_scale(peaks_q, lines.visible, q, options)
    visible = _scaled(lines.visible, scale, q, tolerance)
    peak, line = matched_pairs(peaks_q, visible.q, tolerance)
    strong = visible.strength >= options.strong_strength
    distance = np.abs(peaks_q[peak] - visible.q[line])
    return Match(
        mean_distance_per_angstrom=mean_distance(peaks_q, lines.every.q),
        scale=scale,
        scale_at_limit=abs(scale - 1.0) > options.max_scale_deviation - 1e-3,
        n_peaks=int(peaks_q.size),
        n_matched=int(peak.size),
        matched=tuple(sorted(peak.tolist())),
        n_strong=int(strong.sum()),
        n_strong_found=int(strong[line].sum()),
        rms_per_angstrom=float(np.sqrt(np.mean(distance**2))) if distance.size else None,
        chance_precision=_covered(visible.q, tolerance, q),
    )


def mean_distance(peaks_q: np.ndarray, lines_q: np.ndarray) -> float | None:
    """Return the mean distance of each peak to the nearest line, Å⁻¹; None without peaks or lines."""
    if not peaks_q.size or not lines_q.size:
        return None
    return float(np.abs(peaks_q[:, None] - lines_q[None, :]).min(axis=1).mean())


def fit_scale(peaks_q: np.ndarray, visible: PowderLines, q: np.ndarray, options: PeakOptions) -> float:
    """Return the lattice scale that agrees best, in steps of 0.0005 and then by least squares over the pairs.

    On the grid it maximises soft precision + soft recall: the mean of exp(−½ (d/tolerance)²) over the peaks (d to the
    nearest visible line) plus that over the strong lines (d to the nearest peak). Among equals the scale nearest to 1
    wins; without peaks or lines it is 1.
    """
    if not peaks_q.size or not visible.q.size:
        return 1.0
    tolerance = options.tolerance_bins * float(np.median(np.diff(q)))
    limit = options.max_scale_deviation
    steps = round(limit / 0.0005)
    candidates = 1.0 + np.array(sorted(range(-steps, steps + 1), key=abs)) * (limit / max(steps, 1))
    agreement = [_agreement(peaks_q, _scaled(visible, s, q, tolerance), tolerance, options) for s in candidates]
    best = float(candidates[int(np.argmax(np.round(agreement, 9)))])
    at_best = _scaled(visible, best, q, tolerance)
    peak, line = matched_pairs(peaks_q, at_best.q, tolerance)
    if not peak.size:
        return best
    refined = float(peaks_q[peak] @ (at_best.q[line] * best) / (peaks_q[peak] @ peaks_q[peak]))
    return min(max(refined, 1.0 - limit), 1.0 + limit)


def _agreement(peaks_q: np.ndarray, lines: PowderLines, tolerance: float, options: PeakOptions) -> float:
    if not lines.q.size:
        return 0.0
    closeness = np.exp(-0.5 * np.square((peaks_q[:, None] - lines.q[None, :]) / tolerance))
    strong = lines.strength >= options.strong_strength
    return float(closeness.max(axis=1).mean() + (closeness[:, strong].max(axis=0).mean() if strong.any() else 0.0))


def _scaled(lines: PowderLines, scale: float, q: np.ndarray, margin: float) -> PowderLines:
    """Return the lines at |g|/scale, without those at the rim, where no maximum can be seen."""
    scaled = PowderLines(lines.q / scale, lines.strength, lines.hkl)
    return scaled.between(float(q[0]) + margin, float(q[-1]) - margin)


def matched_pairs(peaks_q: np.ndarray, lines_q: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Return indices of as many one-to-one pairs within the tolerance as there can be, the closest ones among those."""
    from scipy.optimize import linear_sum_assignment  # half a second, and those who only read scores need it not

    distance = np.abs(peaks_q[:, None] - lines_q[None, :])
    near = distance <= tolerance
    reward = np.where(near, 2.0 - distance / max(tolerance, 1e-12) / (min(distance.shape, default=0) + 1), 0.0)
    peak, line = linear_sum_assignment(reward, maximize=True)
    kept = near[peak, line]
    return peak[kept], line[kept]


def _covered(lines_q: np.ndarray, tolerance: float, q: np.ndarray) -> float:
    low = np.clip(lines_q - tolerance, q[0], q[-1])
    high = np.clip(lines_q + tolerance, q[0], q[-1])
    reached = np.maximum.accumulate(np.concatenate(([q[0]], high)))[:-1]
    return float(np.maximum(high - np.maximum(low, reached), 0.0).sum() / (q[-1] - q[0]))
