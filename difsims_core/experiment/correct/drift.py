"""How the direct beam wanders over a scan: a smooth model that outliers do not move (docs/physics.md §17)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from difsims_core.errors import ExperimentError

_ROUNDS = 20
_TUKEY = 4.7  # robust standard deviations, beyond which a beam has no say (Beaton & Tukey 1974)
_MAD = 1.4826  # times the median of absolute deviations: a standard deviation, for normal ones
_BETTER = 0.95  # a wider model must leave less than this share of the residual of a narrower one
_FOLDS = 5
_KNOTS = 6  # of the splines along each axis of the scan
_FEWEST_PER_TERM = 4


@dataclass(frozen=True, slots=True)
class Drift:
    """A smooth model of the beam's place.

    Attributes
    ----------
    kind : str
        "constant", "plane", "parabola" or "spline".
    coefficients : (terms, 2) float64
        For row and column.
    scan_shape : tuple of int
        (ny, nx).
    residual_px : float
        Robust standard deviation along one axis of what the model leaves, held-out beams.
    """

    kind: str
    coefficients: np.ndarray
    scan_shape: tuple[int, int]
    residual_px: float

    def at(self, positions: np.ndarray) -> np.ndarray:
        """Return (n, 2) row and column of the beam at (n, 2) scan positions, iy and ix."""
        return _TERMS[self.kind](_unit(positions, self.scan_shape)) @ self.coefficients


def fit_drift(positions: np.ndarray, centres: np.ndarray, scan_shape: tuple[int, int], remedy: str = "") -> Drift:
    """Fit the smoothest of some models whose held-out residual is not clearly above that of a wider one.

    Parameters
    ----------
    positions
        (n, 2) iy and ix.
    centres
        (n, 2) measured row and column, px; NaN where nothing was measured.
    scan_shape
        (ny, nx).
    remedy
        What helps where no beam was measured.

    Raises
    ------
    ExperimentError
        If no beam was measured.
    """
    measured = np.isfinite(centres).all(axis=1)
    positions, centres = positions[measured], centres[measured]
    if not len(centres):
        raise ExperimentError("the direct beam was found in none of the patterns looked at", remedy)
    unit = _unit(positions, scan_shape)
    design = _constant(unit)
    best = Drift("constant", _robust_fit(design, centres), scan_shape, _held_out_residual(design, centres))
    for kind, terms in _TERMS.items():
        design = terms(unit)
        spread = np.linalg.matrix_rank(design) == design.shape[1]
        if not spread or len(centres) < _FEWEST_PER_TERM * design.shape[1]:
            continue
        residual = _held_out_residual(design, centres)
        if residual < _BETTER * best.residual_px:
            best = Drift(kind, _robust_fit(design, centres), scan_shape, residual)
    return best


def _held_out_residual(design: np.ndarray, centres: np.ndarray) -> float:
    """Return what beams are away from models of the others; of the models themselves where there are few beams."""
    fold = np.arange(len(centres)) % _FOLDS
    left = centres - design @ _robust_fit(design, centres)
    for k in range(_FOLDS if len(centres) > _FOLDS else 0):
        out = fold == k
        left[out] = centres[out] - design[out] @ _robust_fit(design[~out], centres[~out])
    return float(_MAD * np.median(np.abs(left)))


def _robust_fit(design: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return least squares with Tukey's weights; both coordinates of a beam share one."""
    weight = np.ones(len(centres))
    coefficients = np.zeros((design.shape[1], 2))
    for _ in range(_ROUNDS):
        root = np.sqrt(weight)[:, None]
        fitted = np.linalg.lstsq(root * design, root * centres, rcond=None)[0]
        if np.allclose(fitted, coefficients, atol=1e-6):
            return fitted
        coefficients = fitted
        away = np.linalg.norm(centres - design @ coefficients, axis=1)
        scale = max(_MAD * float(np.median(away)), 1e-3)
        weight = np.square(np.maximum(1 - np.square(away / (_TUKEY * scale)), 0))
    return coefficients


def _unit(positions: np.ndarray, scan_shape: tuple[int, int]) -> np.ndarray:
    """Return scan positions as −1 … 1 along each axis."""
    span = np.maximum(np.asarray(scan_shape) - 1, 1)
    return 2 * np.asarray(positions, float) / span - 1


def _constant(unit: np.ndarray) -> np.ndarray:
    return np.ones((len(unit), 1))


def _plane(unit: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(unit)), unit])


def _parabola(unit: np.ndarray) -> np.ndarray:
    y, x = unit.T
    return np.column_stack([np.ones(len(unit)), y, x, y * y, x * y, x * x])


def _spline(unit: np.ndarray) -> np.ndarray:
    """Return products of cubic B-splines along both axes."""
    from scipy.interpolate import BSpline

    inner = np.linspace(-1, 1, _KNOTS - 2)
    knots = np.concatenate([[-1.0] * 3, inner, [1.0] * 3])
    down, right = (BSpline.design_matrix(np.clip(values, -1, 1), knots, 3).toarray() for values in unit.T)
    return (down[:, :, None] * right[:, None, :]).reshape(len(unit), -1)


_TERMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "constant": _constant, "plane": _plane, "parabola": _parabola, "spline": _spline,
}  # fmt: skip
