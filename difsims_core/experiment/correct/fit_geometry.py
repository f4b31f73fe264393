"""The ellipse and the calibration of a scan, from the spots of all its patterns (docs/physics.md §17).

Spots of a crystal lie on the lines of its phase, at a lattice scale of its own. An ellipse moves spots of one line
apart by their azimuth, whichever phase each pattern shows: the ellipse that makes all patterns likeliest, whatever
their phases and lattice scales, is that of the detector. The mean lattice scale is left for the calibration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from difsims_core.errors import ExperimentError
from difsims_core.experiment.correct.geometry import Geometry
from difsims_core.experiment.correct.phase_lines import PhaseLines
from difsims_core.experiment.correct.scan_spots import ScanSpots
from difsims_core.kernels.scan.radii import agreement

_LARGEST = 0.04  # ellipticity looked for
_COARSE = 13  # points along each axis of the first look
_SPOT_PX, _SPOT_SPREAD_PX = 0.15, 1.3  # what a spot's place is known to, and its width over √counts
_SCALES = np.exp(np.arange(-0.03, 0.0301, 0.0005))
_NARROWEST, _WIDEST, _STEPS_OF_EM = 0.002, 0.02, 60  # of the spread of lattice scales
FEWEST_SPOTS = 60
_TILES = 6  # along each axis of the scan: neighbouring patterns show one grain and are not independent
_STEP = 4e-4  # for derivatives


@dataclass(frozen=True, slots=True)
class LookedAt:
    """A map of how well ellipses agree with the spots.

    Attributes
    ----------
    axis : (m,) float64
        Of a and of b.
    gain : (m, m) float64
        By a and b, as `GeometryFit.gain`.
    """

    axis: np.ndarray
    gain: np.ndarray


@dataclass(frozen=True, slots=True)
class GeometryFit:
    """A geometry that was fitted to spots, and how well.

    Attributes
    ----------
    geometry : Geometry
        With the errors of what was fitted.
    n_spots, n_patterns : int
        What it rests on.
    gain : float
        Mean logarithm of the likelihood ratio of a spot, lines over no lines: 0, the phases explain nothing.
    mean_scale : float
        Mean lattice scale of the patterns under the calibration that was given.
    scale_error : float
        Standard deviation of that mean.
    looked_at : LookedAt
        The ellipses that were compared first.
    phase, scale : (n,) int64, (n,) float64
        Likeliest phase (an index) and lattice scale of each pattern that was looked at.
    """

    geometry: Geometry
    n_spots: int
    n_patterns: int
    gain: float
    mean_scale: float
    scale_error: float
    looked_at: LookedAt
    phase: np.ndarray
    scale: np.ndarray


def fit_geometry(
    spots: ScanSpots, lines: PhaseLines, calibration_per_angstrom: float, *, refine_calibration: bool = False
) -> GeometryFit:
    """Fit the ellipse, and the calibration where asked, to the spots of a scan and the lines of its phases.

    Parameters
    ----------
    spots
        Of many patterns.
    lines
        Of the candidate phases.
    calibration_per_angstrom
        Å⁻¹/px, good to 3 %.
    refine_calibration
        Whether the mean lattice scale of the patterns is taken to be 1, and the calibration is changed by it.

    Raises
    ------
    ExperimentError
        If there are too few spots.
    """
    if len(spots.counts) < FEWEST_SPOTS:
        raise ExperimentError(
            f"expected {FEWEST_SPOTS} spots or more to fit the ellipse to, found {len(spots.counts)}",
            "give it as geometry.ellipse ([0, 0] for none), or fit it to a standard",
        )
    model = _Model(spots, lines, calibration_per_angstrom)
    grid = np.linspace(-_LARGEST * 0.75, _LARGEST * 0.75, _COARSE)
    cost = np.array([[model.cost(np.array([a, b])) for b in grid] for a in grid])
    a, b = divmod(int(cost.argmin()), len(grid))
    best = _minimise(model, grid[[a, b]], grid[1] - grid[0])
    ellipse_error = _sandwich(model, best)
    found = model.by_pattern(best)
    scale, scale_error = _mean_scale(found, model.tile)
    phase, own_scale = _likeliest(found)
    geometry = Geometry(calibration_per_angstrom, (float(best[0]), float(best[1])), 0.0, ellipse_error)
    if refine_calibration:
        refined = calibration_per_angstrom * scale
        geometry = replace(geometry, calibration_per_angstrom=refined, calibration_error=scale_error)
    n_patterns = int((np.diff(spots.start) > 0).sum())
    gain = -model.cost(best) / len(spots.counts)
    looked_at = LookedAt(grid, -cost / len(spots.counts))
    return GeometryFit(geometry, len(spots.counts), n_patterns, gain, scale, scale_error, looked_at, phase, own_scale)


class _Model:
    """Minus the log-likelihood of all spots, as a function of the ellipse."""

    def __init__(self, spots: ScanSpots, lines: PhaseLines, calibration: float) -> None:
        self._spots, self._lines, self._calibration = spots, lines, calibration
        radius = np.hypot(*spots.yx_px.T)
        error = np.hypot(_SPOT_PX, _SPOT_SPREAD_PX / np.sqrt(np.maximum(spots.counts, 1.0)))
        self._width = lines.width_of(error / radius)
        self._shifts = lines.points_for(_SCALES)
        position = spots.positions - spots.positions.min(axis=0)
        tile = position * _TILES // (position.max(axis=0) + 1)
        self.tile = tile[:, 0] * _TILES + tile[:, 1]

    def by_pattern(self, ellipse: np.ndarray) -> np.ndarray:
        """Return (patterns, phases, scales) log-likelihood ratios."""
        undistort = Geometry(self._calibration, (float(ellipse[0]), float(ellipse[1]))).undistort
        q = np.hypot(*(self._spots.yx_px @ undistort.T).T) * self._calibration
        out = np.empty((len(self._spots.start) - 1, len(self._lines.tables), len(_SCALES)))
        agreement(self._lines.tables, self._lines.point_of(q), self._width, self._spots.start, self._shifts, out)
        return out

    def each_cost(self, ellipse: np.ndarray) -> np.ndarray:
        """Return (patterns,) minus log-likelihood ratios, averaged over phases and scales."""
        found = self.by_pattern(ellipse).reshape(len(self._spots.start) - 1, -1)
        most = found.max(axis=1)
        return -(most + np.log(np.exp(found - most[:, None]).mean(axis=1)))

    def cost(self, ellipse: np.ndarray) -> float:
        """Return the sum over all patterns; without end beyond what is looked for."""
        if math.hypot(*ellipse) > 2 * _LARGEST:
            return math.inf
        return float(self.each_cost(ellipse).sum())


def _likeliest(found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return phase and lattice scale of each pattern, of log-likelihood ratios (patterns, phases, scales)."""
    phase, scale = np.divmod(found.reshape(len(found), -1).argmax(axis=1), len(_SCALES))
    return phase, _SCALES[scale]


def _mean_scale(found: np.ndarray, tile: np.ndarray) -> tuple[float, float]:
    """Return the mean lattice scale of the patterns and its error; a tile of the scan is one observation.

    Mean and spread are the likeliest of a normal distribution from which each pattern draws its own.
    """
    likelihood = np.exp(found - found.max(axis=(1, 2), keepdims=True)).sum(axis=1)
    mean, spread = 1.0, _WIDEST
    for _ in range(_STEPS_OF_EM):
        own, variance = _moments(likelihood, mean, spread)
        mean, spread = own.mean(), max(math.sqrt((variance + np.square(own - own.mean())).mean()), _NARROWEST)
    own, variance = _moments(likelihood, mean, spread)
    by_tile = np.bincount(tile, own - mean)
    told = np.clip(1 - variance / spread**2, 0, 1).sum()  # patterns that know their scale
    enough = len(np.unique(tile)) > 1 and told > 1
    return float(mean), float(math.sqrt(np.square(by_tile).sum()) / told) if enough else math.inf


def _moments(likelihood: np.ndarray, mean: float, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Return (patterns,) means and variances of lattice scales, of likelihoods (patterns, scales) and their prior."""
    posterior = likelihood * np.exp(-0.5 * np.square((_SCALES - mean) / spread))
    posterior /= posterior.sum(axis=1, keepdims=True)
    own = posterior @ _SCALES
    return own, np.maximum(posterior @ np.square(_SCALES) - own**2, 0)


def _minimise(model: _Model, start: np.ndarray, size: float) -> np.ndarray:
    from scipy.optimize import minimize

    simplex = start + size / 2 * np.array([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)])
    options = {"xatol": 1e-4, "fatol": 0.05, "initial_simplex": simplex}
    return minimize(model.cost, start, method="Nelder-Mead", options=options).x


def _sandwich(model: _Model, best: np.ndarray) -> float:
    """Return the standard deviation of the ellipse: by the scatter of its gradient among tiles of the scan.

    Tiles of one grain do not scatter; it is no less than if every spot were independent.
    """
    steps = np.eye(2) * _STEP
    here = model.each_cost(best)
    up, down = (np.stack([model.each_cost(best + sign * step) for step in steps]) for sign in (1, -1))
    gradient = (up - down) / (2 * _STEP)
    curvature = np.diag(((up + down - 2 * here) / _STEP**2).sum(axis=1))
    both = model.each_cost(best + steps.sum(axis=0))
    curvature[0, 1] = curvature[1, 0] = ((both - up[0] - up[1] + here) / _STEP**2).sum()
    by_tile = np.stack([np.bincount(model.tile, part) for part in gradient])
    if np.linalg.eigvalsh(curvature).min() <= 0:
        return math.inf
    inverse = np.linalg.inv(curvature)
    n_tiles = len(np.unique(model.tile))
    if n_tiles <= len(best):  # as many numbers were fitted to them: nothing is left that could scatter
        return math.inf
    covariance = inverse @ (by_tile @ by_tile.T) @ inverse * n_tiles / (n_tiles - len(best))
    return float(math.sqrt(max(np.trace(covariance), np.trace(inverse)) / 2))
