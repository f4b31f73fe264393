"""The radial spread operator: what a spot at a radius sends to each annulus (PHYSICS §5)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import i0e

from difsims_core.config.simulation import DetectorSpec
from difsims_core.signal.grid import RadialGrid, pixel_counts

REACH_SIGMA = 5.5
"""A spot ends at this many σ; beyond lies 4 · 10⁻⁸ of it."""
_NODES_PER_SIGMA = 4
_QUADRATURE = 8


@dataclass(frozen=True, slots=True)
class SpreadOperator:
    """Banded operators for each value of σ, on nodes every ``spacing_px`` of spot radius.

    Attributes
    ----------
    spacing_px
        Distance of two nodes, pixels: a quarter of the smallest σ or less.
    sigma_px : (k,) float32
        The values of σ, increasing.
    starts : tuple of (n_nodes,) int64
        First bin that a node reaches, for each σ.
    weights : tuple of (n_nodes · band,) float32
        Mean intensity per pixel of the bins that a node reaches, for unit intensity.
    whole_annuli
        Number of annuli that the frame does not cut.
    """

    spacing_px: float
    sigma_px: np.ndarray
    starts: tuple[np.ndarray, ...]
    weights: tuple[np.ndarray, ...]
    whole_annuli: int

    @property
    def n_nodes(self) -> int:
        """Number of nodes of spot radius."""
        return len(self.starts[0])


def reach_per_angstrom(detector: DetectorSpec, grid: RadialGrid, largest_sigma_px: float) -> float:
    """Return the largest nominal in-plane |g| that a profile can see, Å⁻¹: the corner, or the last bin's tail."""
    corner = detector.size_px / math.sqrt(2) * detector.calibration_per_angstrom
    tail = grid.n_bins * grid.step_per_angstrom + 6 * largest_sigma_px * detector.calibration_per_angstrom
    return min(corner, tail)


def spread_operator(detector: DetectorSpec, grid: RadialGrid, sigma_px: np.ndarray) -> SpreadOperator:
    """Prepare the operators for the given values of σ (k,), pixels."""
    step_px = grid.step_per_angstrom / detector.calibration_per_angstrom
    per_bin = math.ceil(step_px * _NODES_PER_SIGMA / float(sigma_px.min()))
    spacing = step_px / per_bin
    n_nodes = math.ceil(
        reach_per_angstrom(detector, grid, float(sigma_px[-1])) / detector.calibration_per_angstrom / spacing
    )
    n_nodes += 4
    areas = annulus_areas_px(detector, grid)
    built = [_operator(float(sigma), spacing, n_nodes, step_px, areas) for sigma in sigma_px]
    whole = int(np.count_nonzero((np.arange(grid.n_bins) + 0.5) * step_px <= detector.size_px / 2))
    return SpreadOperator(spacing, sigma_px, tuple(b[0] for b in built), tuple(b[1] for b in built), whole)


def annulus_areas_px(detector: DetectorSpec, grid: RadialGrid) -> np.ndarray:
    """Return the (n_bins,) area of each annulus on the detector, px².

    Exact inside the frame; where the frame cuts an annulus, the number of its pixels.
    """
    step_px = grid.step_per_angstrom / detector.calibration_per_angstrom
    outer = (np.arange(grid.n_bins) + 0.5) * step_px
    inner = np.maximum(outer - step_px, 0)
    whole = np.pi * (outer**2 - inner**2)
    counts = pixel_counts(detector.size_px, detector.calibration_per_angstrom, grid)
    return np.where(outer <= detector.size_px / 2, whole, counts)


def _operator(
    sigma: float, spacing: float, n_nodes: int, step_px: float, areas: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Integrate the azimuthal mean of a spot over each annulus by Gauss–Legendre quadrature."""
    n_bins = len(areas)
    rho = np.arange(n_nodes) * spacing
    reach = REACH_SIGMA * sigma
    band = min(math.ceil(2 * reach / step_px) + 2, n_bins)
    starts = np.clip(np.floor((rho - reach) / step_px + 0.5).astype(np.int64), 0, n_bins - band)
    bins = starts[:, None] + np.arange(band)
    lower = np.maximum((bins - 0.5) * step_px, 0)
    width = (bins + 0.5) * step_px - lower
    total = np.zeros(bins.shape)
    points, gauss = np.polynomial.legendre.leggauss(_QUADRATURE)
    for point, weight in zip(points, gauss, strict=True):
        r = lower + (point + 1) / 2 * width
        p = np.exp(-((r - rho[:, None]) ** 2) / (2 * sigma**2)) * i0e(r * rho[:, None] / sigma**2)
        total += weight / 2 * width * r / sigma**2 * p
    area = areas[bins]
    return starts, np.divide(total, area, out=np.zeros_like(total), where=area > 0).astype(np.float32).ravel()
