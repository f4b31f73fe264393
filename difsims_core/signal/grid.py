"""The radial grid on which every profile lives, and the pixels of a real detector that fall into it.

See docs/physics.md §2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from difsims_core.kernels.spots.records import N_AZIMUTH

REFERENCE_STEP_PER_ANGSTROM = 0.008290514530472063
REFERENCE_BINS = 256
REFERENCE_CROP = (13, 160)
AZIMUTH_DEG = np.arange(N_AZIMUTH) + 0.5
"""(360,) centres of the azimuthal bins, degrees from +x (columns) towards +y (rows)."""


@dataclass(frozen=True, slots=True)
class RadialGrid:
    """Annuli |q − q_i| ≤ step/2 around the grid points q_i = i · step.

    Attributes
    ----------
    n_bins
        Number of annuli.
    step_per_angstrom
        Distance of two grid points, Å⁻¹.
    crop_bins
        First bin and end of the pixel crop, the classifier's input.
    """

    n_bins: int = REFERENCE_BINS
    step_per_angstrom: float = REFERENCE_STEP_PER_ANGSTROM
    crop_bins: tuple[int, int] = REFERENCE_CROP

    @property
    def q(self) -> np.ndarray:
        """(n_bins,) float64: centres of the annuli, Å⁻¹."""
        return np.arange(self.n_bins) * self.step_per_angstrom

    @property
    def crop(self) -> slice:
        """The bins of the pixel crop."""
        return slice(*self.crop_bins)


REFERENCE_GRID = RadialGrid()


@lru_cache(maxsize=16)
def pixel_counts(detector_size_px: int, calibration_per_angstrom: float, grid: RadialGrid) -> np.ndarray:
    """Count the pixel centres of a square detector in each annulus (docs/physics.md §6).

    Parameters
    ----------
    detector_size_px
        Pixels along one edge; the beam is at the centre of the square.
    calibration_per_angstrom
        Å⁻¹ per pixel.
    grid
        The annuli.

    Returns
    -------
    (n_bins,) int64, read-only; the frame cuts the outer annuli, corners are included.
    """
    offset = np.arange(detector_size_px) - (detector_size_px - 1) / 2
    q = np.hypot(offset[:, None], offset[None, :]) * calibration_per_angstrom
    bins = np.floor(q / grid.step_per_angstrom + 0.5).astype(np.int64)
    counts = np.bincount(bins[bins < grid.n_bins], minlength=grid.n_bins)
    counts.setflags(write=False)
    return counts


@lru_cache(maxsize=4)
def polar_pixel_counts(detector_size_px: int, calibration_per_angstrom: float, grid: RadialGrid) -> np.ndarray:
    """Return the effective number of pixels of each polar cell of a square detector (docs/physics.md §2).

    Each pixel is shared among the cells that it touches, by 4 × 4 points; along an annulus the parts are scaled to the
    number of its pixels. Other parameters as ``pixel_counts``.

    Returns
    -------
    (n_bins, 360) float64, read-only; 0 for cells beside the frame.
    """
    fine = 4
    offset = (np.arange(detector_size_px * fine) + 0.5) / fine - detector_size_px / 2
    cells = np.zeros((grid.n_bins, N_AZIMUTH))
    for row in offset:  # a row of points at a time keeps memory small
        radius = np.hypot(offset, row) * calibration_per_angstrom / grid.step_per_angstrom
        azimuth = np.degrees(np.arctan2(row, offset)) % N_AZIMUTH
        bins, sectors = np.floor(radius + 0.5).astype(np.int64), azimuth.astype(np.int64) % N_AZIMUTH
        inside = bins < grid.n_bins
        cells += np.bincount(bins[inside] * N_AZIMUTH + sectors[inside], minlength=cells.size).reshape(cells.shape)
    outer = (np.arange(grid.n_bins) + 0.5) * grid.step_per_angstrom / calibration_per_angstrom
    cells[outer <= detector_size_px / 2] = 1.0  # every sector of a whole annulus is the same
    total = cells.sum(axis=1, keepdims=True)
    counts = pixel_counts(detector_size_px, calibration_per_angstrom, grid)
    cells *= np.divide(counts[:, None], total, out=np.zeros_like(total), where=total > 0)
    cells.setflags(write=False)
    return cells
