"""The pixels of each cell of a polar grid: what a measured cell and a simulated one have in common.

See docs/physics.md §12.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from difsims_core.signal.cell_operator import CellOperator, CellRange
from difsims_core.signal.polar_grid import PolarGrid


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
