"""Calibration and ellipse from the rings of a standard: a crystal whose lattice is known (docs/physics.md §17)."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.crystal.phases import as_crystal
from difsims_core.crystal.reflections import reflection_list
from difsims_core.errors import ExperimentError
from difsims_core.evaluate.powder_lines import PowderLines, merge_lines, powder_lines
from difsims_core.experiment.correct.bad_pixels import find_bad_pixels
from difsims_core.experiment.correct.direct_beam import find_beam
from difsims_core.experiment.correct.geometry import Geometry
from difsims_core.experiment.correct.ring_search import find_rings
from difsims_core.experiment.correct.rings import PolarPattern, RingModel, Rings
from difsims_core.experiment.frames import DetectorCorrection, sample_patterns
from difsims_core.experiment.open_scan import open_raw_scan

_Q = (0.05, 2.5)  # Å⁻¹: lines of standards
_FAR = 0.1  # that a calibration may be off
_WEAK = 0.003  # of the strongest line in the frame: weaker ones are left out
_RESOLVED_PX = 0.6  # nearer lines are one
_MARGIN_PX = 3.0  # from the ends of the radii
_FEWEST_RINGS, _STRONG = 3, 0.05
_AGREES = 0.8  # heights and strengths; lines of other phases reach 0.7
_LEAST_ERROR = 1e-4  # relative; detectors and lattices are no better known
_STEPS = np.array([1e-4, 1e-4, 1e-4, 0.01, 0.01, 0.01])  # for derivatives
_LARGEST_STEPS = np.array([0.01, 0.01, 0.01, 1.0, 1.0, 0.3])
_STILL = 0.02  # of the steps for derivatives
_ROUNDS = 40


@dataclass(frozen=True, slots=True)
class StandardFit:
    """What the rings of a standard say.

    Attributes
    ----------
    geometry : Geometry
        Calibration and ellipse with their errors.
    centre_px : (2,) tuple of float
        Row and column of the beam.
    n_rings : int
        Strong rings that were seen.
    """

    geometry: Geometry
    centre_px: tuple[float, float]
    n_rings: int


def calibrate(
    location: str | Path,
    phase: str | Path,
    reading: ReadingSpec = ReadingSpec(),  # noqa: B008 frozen
    centre_px: tuple[float, float] | None = None,
) -> StandardFit:
    """Calibrate a detector by the powder rings of a standard.

    Parameters
    ----------
    location
        Raw file of the standard: one pattern, or a scan, of which the mean is taken.
    phase
        Of the standard: a name of the catalogue or a crystal file.
    reading
        How the file is read. A calibration that it has is taken for good to 10 %; without one, all are tried.
    centre_px
        Row and column of the beam, to 2 px, where a stop hides it.

    Raises
    ------
    ExperimentError
        If the file cannot be read, or shows no rings of this phase.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from difsims_core import calibrate
    >>> y, x = np.mgrid[:200, :200] - 99.5
    >>> q = 0.01 * np.hypot(y / 1.01, x / 0.99)  # an ellipse of 1 %
    >>> rings = [np.sqrt(n) / 4.9505 for n in (3, 4, 8, 11, 12, 16)]  # lead: 111, 200, 220 and so on
    >>> pattern = 5 + 1e5 * np.exp(-((q / 0.03) ** 2))
    >>> pattern += sum(100 * np.exp(-(((q - ring) / 0.01) ** 2)) / ring**3 for ring in rings)
    >>> folder = TemporaryDirectory()
    >>> np.save(f"{folder.name}/lead.npy", pattern[None, None].astype(np.float32))
    >>> found = calibrate(f"{folder.name}/lead.npy", "pb").geometry
    >>> round(found.calibration_per_angstrom, 4), round(found.ellipse[0], 3)
    (0.01, 0.01)
    >>> folder.cleanup()
    """
    scan = open_raw_scan(location, reading)
    frames = sample_patterns(scan, DetectorCorrection()).frames
    lines = powder_lines(reflection_list(as_crystal(phase).phase, _Q[1]), _Q)
    try:
        return fit_standard(_mean_pattern(frames, centre_px), lines, scan.calibration_per_angstrom)
    except ExperimentError as error:
        raise ExperimentError(f"{scan.source}: {error.problem}", error.remedy) from error


def _mean_pattern(frames: np.ndarray, centre_px: tuple[float, float] | None) -> PolarPattern:
    """Return the mean of frames around its beam."""
    mean = frames.mean(axis=0, dtype=np.float64)
    good = np.isfinite(mean)
    if len(frames) > 1:  # one pattern does not tell a hot pixel from a spot
        good = find_bad_pixels(mean, frames.var(axis=0, dtype=np.float64), len(frames), None).good
    mean = np.where(np.isfinite(mean), mean, 0.0)
    if centre_px is None:
        row, column = find_beam(mean, good).measure(mean[None], good).yx_px[0]
        centre_px = (float(row), float(column))
    return PolarPattern.of(mean, good, centre_px)


def fit_standard(pattern: PolarPattern, lines: PowderLines, calibration_per_angstrom: float | None) -> StandardFit:
    """Fit calibration, ellipse, centre and width of the rings of a pattern.

    Parameters
    ----------
    pattern
        With its beam to 2 px.
    lines
        Of the standard.
    calibration_per_angstrom
        Good to 10 %; None: unknown.

    Raises
    ------
    ExperimentError
        If the rings are not those of the standard.
    """
    start = find_rings(pattern, lines, calibration_per_angstrom, _FAR)
    c = math.exp(start.log_calibration)
    margin = pattern.radii[[0, -1]] + np.array([_MARGIN_PX, -_MARGIN_PX])
    seen = lines.between(*(margin * c).tolist())
    merged = merge_lines(seen.between(*_Q, _WEAK * seen.strength.max(initial=0.0)), _RESOLVED_PX * c)
    if len(merged.q) < _FEWEST_RINGS:
        raise ExperimentError(
            f"its frame holds {len(merged.q)} lines of the standard, three are needed",
            "record it at a smaller camera length, or check which phase it is",
        )
    model = RingModel(pattern, merged)
    best, jacobian = _minimise(model, start)
    n_rings = _require_agreement(model, merged, best)
    errors = _errors(model, jacobian, model.left(best).ravel())
    geometry = Geometry(math.exp(best.log_calibration), (best.a, best.b), *errors)
    row, column = pattern.centre
    return StandardFit(geometry, (row + best.row_px, column + best.column_px), n_rings)


def _minimise(model: RingModel, start: Rings) -> tuple[Rings, np.ndarray]:
    """Return the rings of least squares, and derivatives of the residuals there: Gauss and Newton's steps, halved."""
    values, left = np.array(astuple(start)), model.left(start).ravel()
    jacobian = _derivatives(model, values)
    for _ in range(_ROUNDS):
        step = -np.linalg.lstsq(jacobian, left, rcond=None)[0]
        step *= min(1.0, float((_LARGEST_STEPS / np.maximum(np.abs(step), 1e-300)).min()))
        moved = model.left(Rings(*(values + step))).ravel()
        while moved @ moved >= left @ left and np.abs(step / _STEPS).max() > _STILL:
            step /= 2
            moved = model.left(Rings(*(values + step))).ravel()
        if np.abs(step / _STEPS).max() <= _STILL:
            break
        values, left = values + step, moved
        jacobian = _derivatives(model, values)
    return Rings(*map(float, values)), jacobian


def _derivatives(model: RingModel, values: np.ndarray) -> np.ndarray:
    steps = np.diag(_STEPS)
    columns = [
        (model.left(Rings(*(values + step))) - model.left(Rings(*(values - step)))).ravel() / (2 * size)
        for step, size in zip(steps, _STEPS, strict=True)
    ]
    return np.stack(columns, axis=1)


def _require_agreement(model: RingModel, lines: PowderLines, rings: Rings) -> int:
    """Return how many strong rings rise in the mean of their sectors above four times its scatter.

    Heights are free in the fit, so any lines explain something; only those of the standard are as high as they are
    strong.
    """
    heights = model.heights(rings)
    mean, strength = heights.mean(axis=0), lines.strength
    sure = mean > 4 * heights.std(axis=0) / math.sqrt(len(heights))
    n_rings = int((sure & (strength >= _STRONG)).sum())
    agreement = float(mean @ strength / max(np.linalg.norm(mean) * np.linalg.norm(strength), 1e-300))
    if n_rings < _FEWEST_RINGS or agreement < _AGREES:
        raise ExperimentError(
            f"expected {_FEWEST_RINGS} rings of the standard or more, as high as its lines are strong (correlation "
            f"{_AGREES:g} or more), found {n_rings} ({agreement:.2f})",
            "check which phase it is, give its calibration to 10 %, or record more grains",
        )
    return n_rings


def _errors(model: RingModel, jacobian: np.ndarray, left: np.ndarray) -> tuple[float, float]:
    """Return standard deviations of the calibration (relative) and of a and b.

    By Huber's sandwich: residuals go together by sector (grains) and by bands of radii (the shape of rings, lines that
    are not resolved); the larger counts.
    """
    inverse = np.linalg.inv(jacobian.T @ jacobian)
    gradient = (jacobian * left[:, None]).reshape(-1, len(model.band), jacobian.shape[1])
    variance = np.zeros(jacobian.shape[1])
    by_band = np.stack([gradient[:, model.band == band].sum(axis=(0, 1)) for band in np.unique(model.band)])
    for sums in (gradient.sum(axis=1), by_band):
        n = len(sums)
        variance = np.maximum(variance, np.diag(inverse @ (sums.T @ sums) @ inverse) * n / (n - 1))
    calibration, a, b = np.sqrt(variance[:3])
    return max(float(calibration), _LEAST_ERROR), max(float(math.hypot(a, b) / math.sqrt(2)), _LEAST_ERROR)
