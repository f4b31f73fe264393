"""The radial grid on which every profile lives, and the pixels of a real detector that fall into it (PHYSICS §2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

REFERENCE_STEP_PER_ANGSTROM = 0.008290514530472063
REFERENCE_BINS = 256
REFERENCE_CROP = (13, 160)


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


@lru_cache(maxsize=16)
def pixel_counts(detector_size_px: int, calibration_per_angstrom: float, grid: RadialGrid) -> np.ndarray:
    """Count the pixel centres of a square detector in each annulus (PHYSICS §6).

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
