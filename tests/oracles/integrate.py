"""Images to profiles and polar patterns, two slow ways that share no code with the product's operators."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from difsims_core.signal.grid import AZIMUTH_DEG, N_AZIMUTH, REFERENCE_GRID, RadialGrid
from tests.oracles.polar_cells import polar_areas

Place = tuple[float, float] | None  # (x, y) of the beam, pixels; None: the centre of the frame


def radial_means(
    images: np.ndarray,
    calibration_per_angstrom: float,
    grid: RadialGrid = REFERENCE_GRID,
    centre_px: Place = None,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Return (…, n_bins) float32 means of the pixels whose centres lie in each annulus, of (…, ny, nx) images.

    No pixel is split, so that annuli are independent and sums of Poisson counts are Poisson counts.
    """
    bins = _bins(images.shape[-2:], calibration_per_angstrom, grid, centre_px, mask)
    counts = np.bincount(bins[bins >= 0], minlength=grid.n_bins)
    flat = images.reshape(-1, bins.size).astype(np.float64)
    sums = np.stack([np.bincount(bins[bins >= 0], image[bins >= 0], grid.n_bins) for image in flat])
    means = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    return means.reshape(*images.shape[:-2], grid.n_bins).astype(np.float32)


def annulus_counts(
    shape: tuple[int, int],
    calibration_per_angstrom: float,
    grid: RadialGrid = REFERENCE_GRID,
    centre_px: Place = None,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Return (n_bins,) int64: the good pixels whose centres lie in each annulus."""
    bins = _bins(shape, calibration_per_angstrom, grid, centre_px, mask)
    return np.bincount(bins[bins >= 0], minlength=grid.n_bins)


class PolarOperator:
    """Images of one detector to polar patterns, pixels shared by area as ``polar_areas`` finds it.

    Attributes
    ----------
    pixels : (n_bins, 360) float64
        Area of each cell that good pixels cover, px².
    azimuth_deg : (360,) float64
    """

    def __init__(
        self,
        shape: tuple[int, int],
        calibration_per_angstrom: float,
        grid: RadialGrid = REFERENCE_GRID,
        centre_px: Place = None,
        mask: np.ndarray | None = None,
    ) -> None:
        good = np.ones(shape, bool) if mask is None else mask
        centre = _centre(shape, centre_px)
        areas = polar_areas(shape, calibration_per_angstrom, grid, centre, good.ravel())
        total = np.asarray(areas.sum(axis=1), np.float64)
        self.azimuth_deg = AZIMUTH_DEG
        self.pixels = total.reshape(-1, N_AZIMUTH)
        self._means = sparse.diags_array(np.divide(1, total, out=np.zeros_like(total), where=total > 0)) @ areas
        self._n_bins = grid.n_bins

    def apply(self, images: np.ndarray, bins: slice = slice(None)) -> np.ndarray:
        """Return the polar patterns of (…, ny, nx) images: (…, n_bins, 360) float32, or the radial ``bins`` alone."""
        flat = images.reshape(-1, images.shape[-2] * images.shape[-1]).astype(np.float64)
        values = (self._means @ flat.T).T.reshape(*images.shape[:-2], self._n_bins, N_AZIMUTH)
        return values[..., bins, :].astype(np.float32)


def _centre(shape: tuple[int, ...], centre_px: Place) -> tuple[float, float]:
    return ((shape[1] - 1) / 2, (shape[0] - 1) / 2) if centre_px is None else centre_px


def _bins(
    shape: tuple[int, ...], calibration: float, grid: RadialGrid, centre_px: Place, mask: np.ndarray | None
) -> np.ndarray:
    """Return (ny · nx,) the annulus of each pixel; −1 for bad ones and those beyond the grid."""
    x, y = _centre(shape, centre_px)
    q = np.hypot((np.arange(shape[0]) - y)[:, None], (np.arange(shape[1]) - x)[None, :]) * calibration
    bins = np.floor(q / grid.step_per_angstrom + 0.5).astype(np.int64)
    good = np.ones(shape, bool) if mask is None else mask
    return np.where(good & (bins < grid.n_bins), bins, -1).ravel()
