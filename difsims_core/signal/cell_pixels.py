"""The pixels of each cell of a polar grid: what a measured cell and a simulated one have in common.

See docs/physics.md §12.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from difsims_core.errors import InputError
from difsims_core.kernels.spots.records import PixelsOfCells, SharesOfPixels
from difsims_core.signal.polar_grid import CellRange, PolarGrid

if TYPE_CHECKING:
    from scipy import sparse

    from difsims_core.signal.cell_operator import CellOperator

_MOST_PX = 2048  # from the beam: an operator of some 10⁷ pixels, a gigabyte while it is made


def pixels_of_cells(
    operator: CellOperator, cells: CellRange, polar: PolarGrid, good: np.ndarray, pixel: tuple[int, int]
) -> sparse.csr_array:
    """Return what each pixel of a frame gives to each cell of a polar grid, px².

    Parameters
    ----------
    operator, cells
        Before annuli are merged; the cells hold those of ``polar``.
    polar
        The grid.
    good
        (rows, columns) bool: True for pixels that count.
    pixel
        Row and column of the pixel in which the beam lies.

    Returns
    -------
    (n_radii · n_azimuths, rows · columns) float64, cells in the order (radius, azimuth).
    """
    from scipy import sparse  # half a second, and profiles need it not

    at = operator.offset + np.asarray(pixel)
    inside = ((at >= 0) & (at < good.shape)).all(axis=1)
    number = np.where(inside, at[:, 0] * good.shape[1] + at[:, 1], 0)
    weight = operator.weight * (inside & good.ravel()[number])
    shape = (len(operator.start) - 1, good.size)
    fine = sparse.csr_array((weight.astype(np.float64), number, operator.start), shape)
    n = polar.n_radii * polar.n_azimuths
    annulus, sector = np.divmod(np.arange(n * polar.annuli_per_radius), polar.n_azimuths)
    cell = annulus // polar.annuli_per_radius * polar.n_azimuths + sector
    from_cell = np.arange(len(cell)) + (polar.first_annulus - cells.first) * polar.n_azimuths
    merge = sparse.csr_array((np.ones(len(cell)), (cell, from_cell)), (n, shape[0]))
    shares = sparse.csr_array(merge @ fine)
    shares.eliminate_zeros()
    return shares


def effective_pixels(shares: sparse.csr_array) -> np.ndarray:
    """Return (cells,) float64: (Σw)²/Σw², as many pixels as the counts of a cell vary like; 0 for one without any."""
    total, squares = shares.sum(axis=1), shares.power(2).sum(axis=1)
    return np.divide(total**2, squares, out=np.zeros(len(total)), where=squares > 0)


@dataclass(frozen=True, eq=False)
class PolarCells:
    """A polar grid on a square detector with the beam at its centre.

    Attributes
    ----------
    grid : PolarGrid
        The grid.
    step_px : float
        Width of an annulus, pixels.
    size_px : int
        Pixels along one edge of the square in its middle that holds the cells.
    pixels : PixelsOfCells
        What each pixel gives to each cell, cell by cell.
    shares : SharesOfPixels
        The same, pixel by pixel.
    effective : (n_radii, n_azimuths) float64
        Effective pixels of each cell, read-only; 0 for one beside the frame.
    """

    grid: PolarGrid
    step_px: float
    size_px: int
    pixels: PixelsOfCells
    shares: SharesOfPixels
    effective: np.ndarray


@lru_cache(maxsize=4)
def polar_cells(detector_size_px: int, calibration_per_angstrom: float, grid: PolarGrid) -> PolarCells:
    """Return the cells of a grid on a detector of ``detector_size_px`` along one edge.

    Raises
    ------
    InputError
        If the grid spans too many pixels.
    """
    from scipy import sparse

    from difsims_core.signal.cell_operator import cell_operator  # loads SciPy's sparse arrays

    step_px = grid.grid.step_per_angstrom / calibration_per_angstrom
    reach = grid.stop_annulus * step_px
    if reach > _MOST_PX:
        raise InputError(
            f"pixels of {calibration_per_angstrom:g} Å⁻¹ make the polar grid reach {reach:.0f} px from the beam; "
            f"{_MOST_PX} are possible",
            "describe a binned detector: fewer and larger pixels",
        )
    size = min(detector_size_px, 2 * math.ceil(reach) + 2 + detector_size_px % 2)
    centre = (size - 1) / 2
    pixel = math.floor(centre + 0.5)
    beam = centre - pixel
    operator = cell_operator(grid.cells, calibration_per_angstrom, np.eye(2), (beam, beam))
    shares = pixels_of_cells(operator, grid.cells, grid, np.ones((size, size), bool), (pixel, pixel))
    effective = effective_pixels(shares).reshape(grid.n_radii, grid.n_azimuths)
    effective.setflags(write=False)
    areas = shares.sum(axis=1)
    means = sparse.csr_array(shares / np.where(areas > 0, areas, 1)[:, None])
    means.sort_indices()
    return PolarCells(
        grid,
        step_px,
        size,
        PixelsOfCells(*_parts(means)),
        SharesOfPixels(*_parts(means.tocsc())),
        effective,
    )


def _parts(matrix: sparse.csr_array | sparse.csc_array) -> tuple[np.ndarray, ...]:
    """Return where rows or columns begin, the indices of their entries, and these."""
    return matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data.astype(np.float32)
