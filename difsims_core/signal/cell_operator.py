"""Detector pixels shared among polar cells by area: the sparse operator of an integration (docs/physics.md §17).

pyFAI splits the pixels (J. Kieffer and others, J. Appl. Cryst. 58 (2025) 138): each is a polygon in radius and azimuth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from difsims_core.kernels.scan.polar import points_to_polar
from difsims_core.signal.polar_grid import CellRange

_LARGEST_PX = 1.5  # more than the diagonal of a pixel
_WIDEST_RAD = 0.5  # more than a pixel spans at the least distance from the beam
_CENTRE_PX = 3.0  # nearer to the beam a pixel spans too wide an angle for a polygon
_LEAST_PX = 1e-6  # of a pixel: a smaller share is rounding
_CORNERS = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
_POINTS = np.stack(np.divmod(np.arange(256), 16), axis=1) / 16 - 15 / 32  # of such a pixel, which is shared by them


@dataclass(frozen=True, slots=True)
class CellOperator:
    """What each pixel gives to each cell, for one place of the beam within a pixel.

    Attributes
    ----------
    start : (cells + 1,) int64
        Entries of cell i are ``start[i]:start[i + 1]``; cells in the order (annulus, azimuth).
    offset : (entries, 2) int32
        Rows and columns of the pixel from the one in which the beam lies.
    weight : (entries,) float32
        Shared area, px².
    """

    start: np.ndarray
    offset: np.ndarray
    weight: np.ndarray


def cell_operator(
    cells: CellRange, calibration_per_angstrom: float, undistort: np.ndarray, beam: tuple[float, float]
) -> CellOperator:
    """Share the pixels around a beam among polar cells.

    Parameters
    ----------
    cells
        Which ones.
    calibration_per_angstrom
        Å⁻¹ per pixel.
    undistort
        (2, 2): true = undistort · recorded, on (row, column).
    beam
        (row, column) of the beam in its pixel, −0.5 … 0.5; the centre of a pixel is 0.
    """
    wider = _with_guards(cells, calibration_per_angstrom)
    reach = reach_px(wider, calibration_per_angstrom, undistort)
    size = 2 * reach + 1
    pixels = np.stack(np.divmod(np.arange(size * size), size), axis=1) - reach
    near = np.hypot(*(pixels - beam).T) < _CENTRE_PX

    def polar(of: np.ndarray, points: np.ndarray) -> np.ndarray:
        out = np.empty((len(of), len(points), 2))
        points_to_polar(of, points, np.asarray(beam, float), undistort, calibration_per_angstrom, out)
        return out

    pixel, annulus, sector, weight = _split(polar(pixels, _CORNERS), near, wider)
    if wider.first * cells.step_per_angstrom < (_CENTRE_PX + 1) * calibration_per_angstrom:
        found = _count_points(polar(pixels[near], _POINTS), np.flatnonzero(near), wider)
        pixel, annulus, sector, weight = map(np.concatenate, zip((pixel, annulus, sector, weight), found, strict=True))
    inside = (annulus >= cells.first) & (annulus < cells.stop) & (weight > _LEAST_PX)
    cell = (annulus[inside] - cells.first) * cells.n_azimuths + sector[inside] % cells.n_azimuths
    shares = sparse.coo_array((weight[inside], (cell, pixel[inside])), (cells.n_annuli * cells.n_azimuths, size * size))
    shares = shares.tocsr()  # adds up what a pixel gives to one cell in several pieces
    return CellOperator(
        shares.indptr.astype(np.int64), pixels[shares.indices].astype(np.int32), shares.data.astype(np.float32)
    )


def reach_px(cells: CellRange, calibration_per_angstrom: float, undistort: np.ndarray) -> int:
    """Return how many rows or columns the cells reach from the pixel in which the beam lies, at most."""
    outer = cells.stop * cells.step_per_angstrom / calibration_per_angstrom
    return math.ceil(outer / np.linalg.svd(undistort, compute_uv=False).min()) + 1


def _with_guards(cells: CellRange, calibration: float) -> CellRange:
    """Return more annuli on either side: pyFAI gives a pixel that the end of a range cuts to the last one whole."""
    guard = math.ceil(_LARGEST_PX * calibration / cells.step_per_angstrom) + 1
    return replace(cells, first=max(cells.first - guard, 0), stop=cells.stop + guard)


def _split(corners: np.ndarray, left_out: np.ndarray, cells: CellRange) -> tuple[np.ndarray, ...]:
    """Return pixel, annulus, sector and area of each piece of a pixel, as pyFAI cuts them; sectors may be negative."""
    from pyFAI.ext.splitPixelFullCSR import FullSplitCSR_2d

    width = 2 * math.pi / cells.n_azimuths
    guard = math.ceil(_WIDEST_RAD / width)
    sectors = cells.n_azimuths + 2 * guard
    found = FullSplitCSR_2d(
        corners,
        bins=(cells.n_annuli, sectors),
        pos0_range=((cells.first - 0.5) * cells.step_per_angstrom, (cells.stop - 0.5) * cells.step_per_angstrom),
        pos1_range=(-guard * width, 2 * math.pi + guard * width),
        mask=left_out.astype(np.int8),
        allow_pos0_neg=True,
        pos1_period=0,
    )
    cell = np.repeat(np.arange(cells.n_annuli * sectors), np.diff(found.indptr))
    annulus, sector = np.divmod(cell, sectors)
    return np.asarray(found.indices), annulus + cells.first, sector - guard, np.asarray(found.data)


def _count_points(polar: np.ndarray, pixels: np.ndarray, cells: CellRange) -> tuple[np.ndarray, ...]:
    """Return the same for pixels that are shared by points: one piece a point."""
    annulus = np.floor(polar[..., 0] / cells.step_per_angstrom + 0.5).astype(np.int64)
    sector = np.floor(polar[..., 1] * cells.n_azimuths / (2 * math.pi)).astype(np.int64)
    number = polar.shape[1]
    return np.repeat(pixels, number), annulus.ravel(), sector.ravel(), np.full(annulus.size, 1 / number)
