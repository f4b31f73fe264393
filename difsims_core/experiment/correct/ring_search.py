"""A first calibration and ellipse of a powder pattern: where its rings meet most lines (docs/physics.md §17)."""

from __future__ import annotations

import numpy as np

from difsims_core.errors import ExperimentError
from difsims_core.evaluate.powder_lines import PowderLines
from difsims_core.experiment.correct.rings import AZIMUTH, SECTORS, PolarPattern, Rings

_STEP = 0.002  # of log r
_WIDTH = 0.006  # of log q: rings as the search sees them
_SMOOTH = 0.06  # of log q: what is slower is background
_ELLIPSES = np.linspace(-0.032, 0.032, 17)
_FEWEST_LINES = 3


def find_rings(pattern: PolarPattern, lines: PowderLines, calibration_per_angstrom: float | None, far: float) -> Rings:
    """Return the calibration and the ellipse at which square roots of counts agree best with the lines.

    Each sector is compared with the lines, both on a logarithmic axis without what is smooth: a calibration moves all
    sectors alike, an ellipse by their azimuths.

    Parameters
    ----------
    pattern
        With its beam to a pixel or two.
    lines
        Of the standard.
    calibration_per_angstrom
        Good to the share ``far``; None: every one at which three lines lie within the frame.
    far
        See above.

    Raises
    ------
    ExperimentError
        If the frame is too small for three lines.
    """
    from scipy.ndimage import gaussian_filter1d

    radii, counts = pattern.radii, pattern.counts
    log_r = np.arange(np.log(radii[0]), np.log(radii[-1]), _STEP)
    filled = np.where(np.isfinite(counts), np.maximum(counts, 0), np.nan)
    sectors = np.stack([_on_log(radii, column, log_r) for column in filled.T])
    shifts = _calibrations(radii, lines, calibration_per_angstrom, far)
    reach = round(2 * _ELLIPSES[-1] / _STEP)
    moved = np.arange(shifts[0] - reach, shifts[-1] + reach + 1)  # of lines against radii, steps of log q
    log_q = log_r[0] + _STEP * np.arange(moved[0], moved[-1] + len(log_r) + 1)
    model = np.zeros(len(log_q))
    at = np.round((np.log(lines.q) - log_q[0]) / _STEP).astype(int)
    inside = (at >= 0) & (at < len(model))
    np.add.at(model, at[inside], np.sqrt(lines.strength[inside]))
    model = gaussian_filter1d(model, _WIDTH / _STEP) - gaussian_filter1d(model, _SMOOTH / _STEP)
    agreement = np.empty((SECTORS, len(moved)))
    for k in range(len(moved)):
        part = model[k : k + len(log_r)]
        agreement[:, k] = sectors @ part / max(float(np.linalg.norm(part)), 1e-9)
    best = (-np.inf, 0, (0.0, 0.0))
    for a in _ELLIPSES:
        for b in _ELLIPSES:
            stretch = np.round((a * np.cos(2 * AZIMUTH) + b * np.sin(2 * AZIMUTH)) / _STEP).astype(int)
            columns = shifts[None, :] - stretch[:, None] - moved[0]
            total = np.take_along_axis(agreement, columns, axis=1).sum(axis=0)
            k = int(total.argmax())
            best = max(best, (float(total[k]), int(shifts[k]), (float(a), float(b))))
    return Rings(best[1] * _STEP, *best[2])


def _on_log(radii: np.ndarray, counts: np.ndarray, log_r: np.ndarray) -> np.ndarray:
    """Return √counts of a sector on a logarithmic axis, without what is smooth; 0 where nothing was measured."""
    from scipy.ndimage import gaussian_filter1d

    there = np.isfinite(counts)
    if there.sum() < 2:
        return np.zeros(len(log_r))
    values = np.sqrt(np.interp(log_r, np.log(radii[there]), counts[there]))
    left = values - gaussian_filter1d(values, _SMOOTH / _STEP)
    return left / max(float(np.linalg.norm(left)), 1e-9)


def _calibrations(radii: np.ndarray, lines: PowderLines, calibration: float | None, far: float) -> np.ndarray:
    """Return the logarithms of calibrations that are tried, in steps."""
    if calibration is not None:
        low, high = calibration * (1 - far), calibration * (1 + far)
    else:
        strong = lines.q[lines.strength > 0.03 * lines.strength.max(initial=0.0)]
        if len(strong) < _FEWEST_LINES:
            raise ExperimentError("the standard has fewer than three lines", "take one with more")
        low, high = strong[_FEWEST_LINES - 1] / radii[-1], min(lines.q[-1] / radii[-1], strong[0] / radii[0])
    steps = np.arange(int(np.floor(np.log(low) / _STEP)), int(np.ceil(np.log(high) / _STEP)) + 1)
    if len(steps) < 2:
        raise ExperimentError(
            "its frame is too small for three lines of the standard", "record it at a smaller camera length"
        )
    return steps
