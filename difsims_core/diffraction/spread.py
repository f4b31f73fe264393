"""The radial spread operator: what a spot at a radius sends to each annulus (docs/physics.md §5)."""

from __future__ import annotations

import math

import numpy as np

from difsims_core.config.simulation import DetectorSpec
from difsims_core.kernels.profile.annuli import spread_weights
from difsims_core.kernels.profile.spread import GROUP
from difsims_core.kernels.spots.records import Spread
from difsims_core.signal.grid import RadialGrid, pixel_counts

REACH_SIGMA = 5.5
"""A spot ends at this many σ; beyond lies 4 · 10⁻⁸ of it."""
_NODES_PER_SIGMA = 4


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
    first, last = np.empty((2, len(sigmas), -(-grid.n_bins // GROUP)), np.int64)
    weights = [
        _weights(sigma, int(n), step_px, areas, nodes)
        for sigma, n, *nodes in zip(sigmas, n_nodes, first, last, strict=True)
    ]
    sizes = (last - first) * GROUP
    offset = (np.cumsum(sizes) - sizes.ravel()).reshape(sizes.shape)
    whole = int(np.count_nonzero((np.arange(grid.n_bins) + 0.5) * step_px <= detector.size_px / 2))
    return Spread(_NODES_PER_SIGMA / sigmas, n_nodes, first, last, offset, np.concatenate(weights), whole)


def _weights(sigma: float, n_nodes: int, step_px: float, areas: np.ndarray, nodes: list[np.ndarray]) -> np.ndarray:
    """Return the weights of one σ, and fill first and last node of each group of annuli."""
    spacing = sigma / _NODES_PER_SIGMA
    computed = (REACH_SIGMA + 1) * sigma
    band = min(math.ceil(2 * computed / step_px) + 2, len(areas))
    inner = np.floor((np.arange(n_nodes - 1) * spacing - computed) / step_px + 0.5).astype(np.int64)
    starts = np.clip(inner, 0, len(areas) - band)
    reach = REACH_SIGMA * sigma + step_px / 2 + spacing
    return spread_weights(sigma, spacing, n_nodes, step_px, areas, starts, band, reach, *nodes)


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
