"""Noise-free polar patterns of many patterns, drawn into their cells without an image (docs/physics.md §§2, 5)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from difsims_core.diffraction.geometry import Geometry
from difsims_core.diffraction.sources import SpotSource, render
from difsims_core.diffraction.spread import annulus_areas_px
from difsims_core.kernels.polar.patterns import phase_polar_patterns
from difsims_core.kernels.polar.shares import phase_polar_cells
from difsims_core.kernels.spots.records import N_AZIMUTH
from difsims_core.signal.cell_lattice import sigma_class, wide_cells
from difsims_core.signal.cell_pixels import PolarCells

_REACH_SIGMA = 4.8  # there a spot has fallen to 10⁻⁵ of its height
_FAINT = 3e-6  # of the height of the brightest spot, on the reduced grid (docs/physics.md §12)


def noise_free_polar_patterns(
    geometry: Geometry, sources: Iterator[SpotSource], n: int, bins: slice
) -> tuple[np.ndarray, np.ndarray]:
    """Compute ``n`` polar patterns from their spots on ``geometry.frame``; see ``Engine.polar_patterns``."""
    first, stop, _ = bins.indices(geometry.grid.n_bins)
    step_px = geometry.grid.step_per_angstrom / geometry.detector.calibration_per_angstrom
    outer = (np.arange(geometry.grid.n_bins) + 0.5) * step_px
    whole = np.pi * (outer**2 - np.maximum(outer - step_px, 0) ** 2)
    density = annulus_areas_px(geometry.detector, geometry.grid) / whole
    patterns = np.zeros((n, stop - first, N_AZIMUTH), np.float32)
    polar = (first, geometry.grid.n_bins, step_px, _REACH_SIGMA, density)

    def draw(source: SpotSource, common: tuple) -> np.ndarray:
        return phase_polar_patterns(*common[:5], geometry.spread, polar, *common[5:], source.grains.which, patterns)

    return patterns, render(sources, n, geometry.frame, draw)


def noise_free_polar_cells(
    geometry: Geometry, sources: Iterator[SpotSource], n: int, cells: PolarCells
) -> tuple[np.ndarray, np.ndarray]:
    """Compute ``n`` polar patterns on a reduced grid from their spots; see ``Engine.polar_cells``."""
    grid = cells.grid
    classes = np.unique(sigma_class(geometry.sigma_px))
    wide = wide_cells(cells, tuple(int(number) for number in classes if number >= 0))
    ends = _FAINT, _REACH_SIGMA, (grid.stop_annulus - 0.5) * cells.step_px + 1
    patterns = np.zeros((n, grid.n_radii * grid.n_azimuths), np.float32)

    def draw(source: SpotSource, common: tuple) -> np.ndarray:
        known = source.grains.conditions
        on = wide.routes(known.sigma, known.hidden), wide.nodes, cells.pixels, cells.shares, cells.size_px
        return phase_polar_cells(*common[:5], on, ends, *common[5:], source.grains.which, patterns)

    unit = render(sources, n, geometry.frame, draw)
    return patterns.reshape(n, grid.n_radii, grid.n_azimuths), unit
