"""A powder pattern by radius and azimuth, and a model of its rings (docs/physics.md §17)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from difsims_core.evaluate.powder_lines import PowderLines
from difsims_core.experiment.correct.geometry import Geometry
from difsims_core.experiment.integrate.integrator import Integrator
from difsims_core.signal.cell_operator import CellRange
from difsims_core.signal.grid import RadialGrid
from difsims_core.signal.polar_grid import PolarGrid

SECTORS = 48
AZIMUTH = np.pi / 2 - (np.arange(SECTORS) + 0.5) * 2 * np.pi / SECTORS
"""(sectors,) azimuth from the row axis, radians; sectors count from columns towards rows."""

_STEP_PX = 0.5
_NEAREST_PX = 8.0  # from the beam
_KNOT_PX = 14.0  # distance of the knots of the background
_BANDS = 8  # of radii, in which residuals may go together
_RIDGE = 1e-6


@dataclass(frozen=True, slots=True)
class PolarPattern:
    """A powder pattern around its beam.

    Attributes
    ----------
    radii : (n,) float64
        Recorded, px.
    counts : (n, sectors) float64
        Mean counts per pixel; NaN where no pixel counts.
    centre : (2,) tuple of float
        Row and column of the beam, px.
    """

    radii: np.ndarray
    counts: np.ndarray
    centre: tuple[float, float]

    @classmethod
    def of(cls, frame: np.ndarray, good: np.ndarray, centre: tuple[float, float]) -> PolarPattern:
        """Integrate a (rows, columns) frame to the edge that is nearest; ``good`` is True for pixels that count."""
        rows, columns = frame.shape
        edge = min(*centre, rows - 1 - centre[0], columns - 1 - centre[1])
        first, stop = round(_NEAREST_PX / _STEP_PX), max(int(edge / _STEP_PX), round(_NEAREST_PX / _STEP_PX) + 2)
        cells = CellRange(_STEP_PX, first, stop, SECTORS)
        grid = PolarGrid(RadialGrid(stop, _STEP_PX, (first, stop)), first, stop - first, 1, SECTORS)
        found = Integrator(good, Geometry(1.0), cells, grid).integrate(frame[None], np.array([centre]))
        return cls(np.arange(first, stop) * _STEP_PX, found.polar[0].astype(np.float64), centre)


@dataclass(frozen=True, slots=True)
class Rings:
    """Where the rings of a powder lie.

    Attributes
    ----------
    log_calibration : float
        Natural logarithm of Å⁻¹/px.
    a, b : float
        Ellipse, as in `Geometry`.
    row_px, column_px : float
        From the centre of the pattern to that of the rings.
    log_width : float
        Of their standard deviation, px.
    """

    log_calibration: float
    a: float
    b: float
    row_px: float = 0.0
    column_px: float = 0.0
    log_width: float = 0.0

    def radii(self, q: np.ndarray) -> np.ndarray:
        """Return (sectors, lines) recorded radii, px, of lines (Å⁻¹)."""
        unit = np.stack([np.cos(AZIMUTH), np.sin(AZIMUTH)])
        inverse = np.array([[1 - self.a, -self.b], [-self.b, 1 + self.a]]) / (1 - self.a**2 - self.b**2)
        stretch = 1 / np.hypot(*(inverse @ unit))
        shift = np.array([self.row_px, self.column_px]) @ unit
        return stretch[:, None] * q * np.exp(-self.log_calibration) + shift[:, None]


class RingModel:
    """Counts of a powder pattern: in each sector a smooth background and rings, each as high as it is there.

    Heights and background are linear and solved for; what is left depends on `Rings` alone. Counts are weighed by √r: a
    disc of variance σ² at radius R has its mean counts per pixel at R − σ²/2R, as its width along the ring puts it
    outwards by σ²/2R and the length of the ring inwards by σ²/R. With that, their noise is that of the mean counts.

    Parameters
    ----------
    pattern
        The pattern.
    lines
        Those of the standard.
    """

    def __init__(self, pattern: PolarPattern, lines: PowderLines) -> None:
        from scipy.interpolate import BSpline

        self._radii, self.q = pattern.radii, lines.q
        there = np.isfinite(pattern.counts)
        mean = np.where(there, pattern.counts, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
        weight = np.sqrt(pattern.radii / np.maximum(mean, 1e-3 * mean.max(initial=1e-9)))
        self._whole = there
        self._values = np.where(self._whole, pattern.counts, 0.0) * weight[:, None]
        low, high = pattern.radii[[0, -1]]
        inner = np.linspace(low, high, max(int((high - low) / _KNOT_PX), 2) + 1)
        knots = np.concatenate([[low] * 3, inner, [high] * 3])
        self._background = BSpline.design_matrix(pattern.radii, knots, 3).toarray() * weight[:, None]
        self._weight = weight
        self.band = np.repeat(np.arange(_BANDS), -(-len(pattern.radii) // _BANDS))[: len(pattern.radii)]

    def left(self, rings: Rings) -> np.ndarray:
        """Return (sectors, n) weighted residuals."""
        return self._solved(rings)[0]

    def heights(self, rings: Rings) -> np.ndarray:
        """Return (sectors, lines) heights of rings."""
        return self._solved(rings)[1]

    def _solved(self, rings: Rings) -> tuple[np.ndarray, np.ndarray]:
        places, width = rings.radii(self.q), np.exp(rings.log_width)
        left = np.zeros((SECTORS, len(self._radii)))
        heights = np.zeros((SECTORS, len(self.q)))
        for sector in range(SECTORS):
            bells = np.exp(-np.square((self._radii[:, None] - places[sector]) / width) / 2) * self._weight[:, None]
            design = np.concatenate([bells, self._background], axis=1)
            fitted, solution = self._project(design, sector)
            left[sector] = np.where(self._whole[:, sector], self._values[:, sector] - fitted, 0.0)
            heights[sector] = solution[: len(self.q)]
        return left, heights

    def _project(self, design: np.ndarray, sector: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the fit of a sector and its solution; a little is added to the diagonal, as lines may coincide."""
        there = self._whole[:, sector, None] * design
        normal = there.T @ there
        normal[np.diag_indices(len(normal))] += _RIDGE * max(float(np.trace(normal)) / len(normal), 1e-12)
        solution = np.linalg.solve(normal, there.T @ self._values[:, sector])
        return design @ solution, solution
