"""The radial spread operator: what a spot at a radius sends to each annulus (docs/physics.md §5)."""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import solveh_banded
from scipy.special import i0e

from difsims_core.config.simulation import DetectorSpec
from difsims_core.kernels.profile.spread import GROUP
from difsims_core.kernels.spots.records import Spread
from difsims_core.signal.grid import RadialGrid, pixel_counts

REACH_SIGMA = 5.5
"""A spot ends at this many σ; beyond lies 4 · 10⁻⁸ of it."""
_NODES_PER_SIGMA = 4
_GAUSS = np.polynomial.legendre.leggauss(8)


def reach_px(detector: DetectorSpec, grid: RadialGrid, largest_sigma_px: float) -> float:
    """Return the largest radius of a spot that a profile can see, pixels: the corner, or the last annulus' tail."""
    corner = detector.size_px / math.sqrt(2)
    tail = grid.n_bins * grid.step_per_angstrom / detector.calibration_per_angstrom + 6 * largest_sigma_px
    return min(corner, tail)


def spread_operator(detector: DetectorSpec, grid: RadialGrid, sigma_px: np.ndarray, reach: float) -> Spread:
    """Prepare the operators for the given values of σ (k,), pixels, and spots up to the radius ``reach``, pixels.

    As a function of the spot's radius, what an annulus receives is a Gaussian-like bump of width σ or more: cubic
    B-splines with four nodes a σ represent it to 6 · 10⁻⁵ of its height.
    """
    step_px = grid.step_per_angstrom / detector.calibration_per_angstrom
    areas = annulus_areas_px(detector, grid)
    sigmas = sigma_px.astype(float)
    n_nodes = np.array([math.ceil(reach / sigma * _NODES_PER_SIGMA) + 5 for sigma in sigma_px], np.int64)
    operators = [
        _in_groups(_spline_coefficients(sigma, sigma / _NODES_PER_SIGMA, int(n), step_px, areas))
        for sigma, n in zip(sigmas, n_nodes, strict=True)
    ]
    first, last, weights = zip(*operators, strict=True)
    first, last = np.stack(first), np.stack(last)
    sizes = (last - first) * GROUP
    offset = (np.cumsum(sizes) - sizes.ravel()).reshape(sizes.shape)
    whole = int(np.count_nonzero((np.arange(grid.n_bins) + 0.5) * step_px <= detector.size_px / 2))
    return Spread(_NODES_PER_SIGMA / sigmas, n_nodes, first, last, offset, np.concatenate(weights), whole)


def _in_groups(coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return first and last node (n_groups,) of each group of annuli, and its weights end to end.

    ``coefficients`` are (n_nodes, n_bins); a last group that is not full gets zeros.
    """
    n_nodes, n_bins = coefficients.shape
    padded = np.pad(coefficients, ((0, 0), (0, -n_bins % GROUP))).reshape(n_nodes, -1, GROUP)
    used = np.any(padded, axis=2)
    there = np.any(used, axis=0)
    first = np.where(there, used.argmax(axis=0), 0).astype(np.int64)
    last = np.where(there, n_nodes - used[::-1].argmax(axis=0), 0).astype(np.int64)
    parts = [padded[low:high, group].ravel() for group, (low, high) in enumerate(zip(first, last, strict=True))]
    return first, last, np.concatenate(parts)


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


def _spline_coefficients(sigma: float, spacing: float, n_nodes: int, step_px: float, areas: np.ndarray) -> np.ndarray:
    """Return (n_nodes, n_bins) float32: B-spline coefficients of the mean intensity of each annulus, zeros far away.

    Node 1 is the radius 0. The spline interpolates at the nodes: (c₋ + 4 c + c₊) / 6 = value, even about 0.
    """
    n_bins = len(areas)
    values = _annulus_means(sigma, spacing, n_nodes - 1, step_px, areas)
    bands = np.zeros((2, n_nodes - 1))
    bands[0, 1:] = bands[1] = 1 / 6
    bands[1] *= 4
    bands[1, 0] = 2 / 6  # the first equation, 4 c₀ + 2 c₁ = 6 v₀, halved so that the matrix stays symmetric
    values[0] /= 2
    coefficients = np.zeros((n_nodes, n_bins))
    coefficients[1:] = solveh_banded(bands, values, overwrite_b=True, check_finite=False)
    coefficients[0] = coefficients[2]
    radius = (np.arange(n_nodes) - 1) * spacing
    far = np.abs(radius[:, None] - np.arange(n_bins) * step_px) > REACH_SIGMA * sigma + step_px / 2 + spacing
    return np.where(far, 0, coefficients).astype(np.float32)


def _annulus_means(sigma: float, spacing: float, n_nodes: int, step_px: float, areas: np.ndarray) -> np.ndarray:
    """Return (n_nodes, n_bins): the azimuthal mean of a spot, integrated over each annulus by Gauss–Legendre."""
    n_bins = len(areas)
    rho = np.arange(n_nodes) * spacing
    reach = (REACH_SIGMA + 1) * sigma
    band = min(math.ceil(2 * reach / step_px) + 2, n_bins)
    starts = np.clip(np.floor((rho - reach) / step_px + 0.5).astype(np.int64), 0, n_bins - band)
    bins = starts[:, None] + np.arange(band)
    lower = np.maximum((bins - 0.5) * step_px, 0)
    width = (bins + 0.5) * step_px - lower
    total = np.zeros(bins.shape)
    for point, weight in zip(*_GAUSS, strict=True):
        r = lower + (point + 1) / 2 * width
        p = np.exp(-((r - rho[:, None]) ** 2) / (2 * sigma**2)) * i0e(r * rho[:, None] / sigma**2)
        total += weight / 2 * width * r / sigma**2 * p
    area = areas[bins]
    means = np.zeros((n_nodes, n_bins))
    np.put_along_axis(means, bins, np.divide(total, area, out=np.zeros_like(total), where=area > 0), axis=1)
    return means
