"""Detector images to radial profiles and polar_patterns: the same operators for simulated and measured images.

See docs/physics.md §2.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from difsims_core.errors import InputError
from difsims_core.signal.frame import ImageGeometry, check_images, image_geometry
from difsims_core.signal.grid import AZIMUTH_DEG, N_AZIMUTH, RadialGrid
from difsims_core.signal.polar_cells import polar_areas

if TYPE_CHECKING:
    from scipy import sparse

REFERENCE_GRID = RadialGrid()


def radial_means(
    images: np.ndarray,
    calibration_per_angstrom: float,
    grid: RadialGrid = REFERENCE_GRID,
    centre_px: tuple[float, float] | None = None,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Return the mean intensity per pixel of each annulus, over the pixels whose centres lie in it.

    No pixel is split, so that the readings of different annuli are independent and a sum over an annulus of Poisson
    counts is a Poisson count (docs/physics.md §6). The price is aliasing: where annuli are barely wider than a pixel,
    sharp spots near the axes are shared unevenly among neighbouring bins. ``PolarOperator`` shares pixels by area
    instead.

    Parameters
    ----------
    images
        (…, ny, nx) real numbers of any type.
    calibration_per_angstrom
        Å⁻¹ per pixel.
    grid
        The annuli |q − q_i| ≤ step/2.
    centre_px
        (x, y), column and row of the beam, in pixels; pixel centres are whole numbers. Default: the centre of the
        frame, ((nx − 1)/2, (ny − 1)/2).
    mask
        (ny, nx) bool, True for good pixels; the others have no say, whatever they read.

    Returns
    -------
    (…, n_bins) float32; an annulus without pixels reads 0 (``annulus_counts`` tells which).

    Raises
    ------
    InputError
        If the images are no real numbers of two or more dimensions, or a parameter does not fit them.
    """
    images = check_images(images)
    frame = image_geometry(images.shape[-2:], calibration_per_angstrom, grid, centre_px, mask)
    return _apply(_annulus_operator(frame)[0], images)


def annulus_counts(
    shape: tuple[int, int],
    calibration_per_angstrom: float,
    grid: RadialGrid = REFERENCE_GRID,
    centre_px: tuple[float, float] | None = None,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Return (n_bins,) int64, read-only: the good pixels that ``radial_means`` averages in each annulus.

    ``shape`` is (ny, nx); the other parameters are those of ``radial_means``. For a square frame without a mask and
    with the beam at its centre these are ``grid.pixel_counts``.
    """
    return _annulus_operator(image_geometry(shape, calibration_per_angstrom, grid, centre_px, mask))[1]


class PolarOperator:
    """Images of one detector to polar_patterns: each pixel shared among the polar cells that it touches, by area.

    Azimuth bin j is [j°, (j + 1)°), counter-clockwise from +x (columns) towards +y (rows). A cell is the mean intensity
    per pixel over its area inside the frame; a cell outside the frame, or of bad pixels alone, reads 0. The mean of a
    polar pattern over the azimuth, weighted by ``pixels``, is a radial profile with pixels shared by area. Areas are
    exact along the radius and sampled along the azimuth: see ``polar_cells.polar_areas`` for their accuracy.

    Parameters
    ----------
    shape
        (ny, nx) pixels of the detector.
    calibration_per_angstrom, grid, centre_px, mask
        As in ``radial_means``.

    Attributes
    ----------
    pixels : (n_bins, 360) float64, read-only
        Area of each cell that good pixels cover, px².
    azimuth_deg : (360,) float64
        Centres of the azimuth bins, degrees.

    Raises
    ------
    InputError
        If a parameter does not fit the others.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        calibration_per_angstrom: float,
        grid: RadialGrid = REFERENCE_GRID,
        centre_px: tuple[float, float] | None = None,
        mask: np.ndarray | None = None,
    ) -> None:
        frame = image_geometry(shape, calibration_per_angstrom, grid, centre_px, mask)
        self.shape, self.grid = frame.shape, grid
        self.azimuth_deg = AZIMUTH_DEG
        self._matrix, self.pixels = _polar_operator(frame)

    def apply(self, images: np.ndarray, bins: slice = slice(None)) -> np.ndarray:
        """Return the polar patterns of (…, ny, nx) images: (…, n_bins, 360) float32, or the radial ``bins`` alone.

        Raises
        ------
        InputError
            If the images are no real numbers, or of another detector.
        """
        images = check_images(images)
        if images.shape[-2:] != self.shape:
            raise InputError(
                f"this operator is for frames of {self.shape} pixels, found images of {images.shape[-2:]}",
                "make a PolarOperator for their shape",
            )
        wanted = range(*bins.indices(self.grid.n_bins))
        if wanted.step != 1:
            raise InputError(
                f"expected neighbouring bins, found a step of {wanted.step}", "thin out the result instead"
            )
        matrix = self._matrix[wanted.start * N_AZIMUTH : (wanted.start + len(wanted)) * N_AZIMUTH]
        return _apply(matrix, images).reshape(*images.shape[:-2], len(wanted), N_AZIMUTH)


@lru_cache(maxsize=16)
def _annulus_operator(frame: ImageGeometry) -> tuple[sparse.csr_array, np.ndarray]:
    """Return the (n_bins, ny · nx) operator of annulus means, and how many pixels each of them averages."""
    from scipy import sparse  # half a second, and profiles need it not

    (x, y), (ny, nx), grid = frame.centre_px, frame.shape, frame.grid
    q = np.hypot((np.arange(ny) - y)[:, None], (np.arange(nx) - x)[None, :]) * frame.calibration_per_angstrom
    bins = np.floor(q.ravel() / grid.step_per_angstrom + 0.5)
    pixels = np.flatnonzero((bins < grid.n_bins) & frame.good())
    sums = sparse.coo_array(
        (np.ones(len(pixels)), (bins[pixels].astype(np.int32), pixels.astype(np.int32))), (grid.n_bins, ny * nx)
    )
    operator, counts = _means(sums.tocsr())
    return operator, _read_only(np.rint(counts).astype(np.int64))


@lru_cache(maxsize=4)
def _polar_operator(frame: ImageGeometry) -> tuple[sparse.csr_array, np.ndarray]:
    """Return the (n_bins · 360, ny · nx) operator of cell means, and the area of each cell."""
    areas = polar_areas(frame.shape, frame.calibration_per_angstrom, frame.grid, frame.centre_px, frame.good())
    operator, pixels = _means(areas)
    return operator, _read_only(pixels.reshape(-1, N_AZIMUTH))


def _means(sums: sparse.csr_array) -> tuple[sparse.csr_array, np.ndarray]:
    """Divide the rows by their sums where there are any; return the sums too."""
    weights = np.asarray(sums.sum(axis=1), np.float64)
    sums.data /= np.repeat(weights, np.diff(sums.indptr))
    return sums, weights


def _read_only(values: np.ndarray) -> np.ndarray:
    values.setflags(write=False)
    return values


def _apply(operator: sparse.csr_array, images: np.ndarray) -> np.ndarray:
    """Return (…, rows) float32; summed in float64, one image at a time, so that the stack is never copied."""
    values = np.empty((*images.shape[:-2], len(operator.indptr) - 1), np.float32)
    for index in np.ndindex(images.shape[:-2]):
        values[index] = operator @ images[index].astype(np.float64).ravel()
    return values
