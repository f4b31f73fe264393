"""Nodes within polar cells that stand for the pixels of a cell where spots are wide (docs/physics.md §12)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.polynomial import legendre

from difsims_core.kernels.polar.lattice import CellLattices
from difsims_core.kernels.polar.shares import AT_PIXELS, BY_IMAGE
from difsims_core.signal.cell_pixels import PolarCells
from difsims_core.signal.polar_grid import PolarGrid

NARROWEST_PX = 1.5
"""σ from which spots are drawn on nodes, pixels: sharper ones cover fewer pixels than nodes."""
_CLASSES_PER_DOUBLING = 2
_ALIKE = 1.3  # ratio of the radii of a band
_LEAST, _PER_SIGMA = 2.0, 1.5  # nodes across a cell, and a σ of half its width: cosines of 1 − 10⁻⁵ and better


def sigma_class(sigma_px: np.ndarray) -> np.ndarray:
    """Return the class of each σ, half a doubling wide; −1 for spots that are drawn at their pixels."""
    above = np.log2(np.asarray(sigma_px, np.float64) / NARROWEST_PX) * _CLASSES_PER_DOUBLING
    return np.maximum(np.floor(above + 1e-9), -1).astype(np.int64)


@dataclass(frozen=True, eq=False)
class WideCells:
    """How spots of several widths reach the cells of a grid.

    Attributes
    ----------
    classes : (k,) int64
        Classes of σ that have nodes, increasing.
    nodes : CellLattices
        Their nodes, in this order.
    """

    classes: np.ndarray
    nodes: CellLattices

    def routes(self, sigma_px: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        """Return (m,) int64 how the spots of each pattern are drawn: a class in ``nodes``, or as the kernel names it.

        ``hidden`` (m, 4) is that of ``Conditions``.
        """
        wanted = sigma_class(sigma_px)
        found = np.where(np.isin(wanted, self.classes), np.searchsorted(self.classes, wanted), BY_IMAGE)
        return np.where(hidden[:, :2].any(axis=1), BY_IMAGE, np.where(wanted < 0, AT_PIXELS, found))


@lru_cache(maxsize=8)
def wide_cells(cells: PolarCells, step_px: float, classes: tuple[int, ...]) -> WideCells:
    """Return the nodes of a grid on its detector for some classes of σ: none where the grid reaches the beam.

    What the pixels of a cell make of a function, its mean over them by their shares, equals what they make of the
    polynomial in radius and azimuth that meets the function in the nodes, those of Gauss–Legendre quadrature; that is a
    sum over the nodes.

    Parameters
    ----------
    cells, step_px
        The grid on its detector, and the width of an annulus, pixels.
    classes
        Of ``sigma_class``, increasing.
    """
    grid = cells.grid
    width = grid.annuli_per_radius * step_px
    middle = (grid.first_annulus - 0.5) * step_px + width / 2 + width * np.arange(grid.n_radii)
    placed = _pixels(cells, middle)
    if np.abs(placed.from_middle).max() >= middle[0]:
        classes = ()
    start, n_radial, offsets, bands = [0], [], [], []
    for number in classes:
        sigma = NARROWEST_PX * 2 ** (number / _CLASSES_PER_DOUBLING)
        n = _count(float(np.abs(placed.from_middle).max()), sigma)
        offset, across = _interpolation(n, placed.from_middle)
        bands += [_band(placed, grid, radii, middle[radii[-1]], sigma, across) for radii in _alike(middle)]
        n_radial.append(n)
        offsets.append(offset)
        start.append(len(bands))
    offset_px = np.zeros((len(classes), max(n_radial, default=0)))
    for row, offset in zip(offset_px, offsets, strict=True):
        row[: len(offset)] = offset
    angles = [band.angle for band in bands]
    every = np.concatenate([*angles, np.empty(0)])
    nodes = CellLattices(
        float(middle[0]), float(width), grid.n_azimuths, max((len(angle) for angle in angles), default=0),
        np.array(start), np.array(n_radial, np.int64), offset_px,
        np.array([band.first for band in bands], np.int64), np.array([band.stop for band in bands], np.int64),
        np.array([len(angle) // grid.n_azimuths for angle in angles], np.int64), _starts(angles),
        np.cos(every), np.sin(every), _starts([band.weight for band in bands]),
        np.concatenate([*(band.weight for band in bands), np.empty(0, np.float32)]),
    )  # fmt: skip
    return WideCells(np.array(classes, np.int64), nodes)


@dataclass(frozen=True, slots=True)
class _Pixels:
    """Entries of cells: radius and sector of the cell, place from its middle (pixels, sectors), share."""

    radius: np.ndarray
    sector: np.ndarray
    from_middle: np.ndarray
    from_axis: np.ndarray
    share: np.ndarray


@dataclass(frozen=True, slots=True)
class _Band:
    """Radii with equally many nodes along the azimuth, the angles of those, and weights (radius, node, angle)."""

    first: int
    stop: int
    angle: np.ndarray
    weight: np.ndarray


def _pixels(cells: PolarCells, middle: np.ndarray) -> _Pixels:
    n = cells.grid.n_azimuths
    radius, sector = np.divmod(np.repeat(np.arange(len(middle) * n), np.diff(cells.pixels.start)), n)
    y, x = np.array(np.divmod(cells.pixels.pixel, cells.size_px)) - (cells.size_px - 1) / 2
    turned = np.arctan2(y, x) / (2 * np.pi) * n - (sector + 0.5)
    share = cells.pixels.weight.astype(np.float64)
    return _Pixels(radius, sector, np.hypot(x, y) - middle[radius], turned - n * np.round(turned / n), share)


def _alike(middle: np.ndarray) -> list[range]:
    """Return runs of radii of which the last one is hardly larger than the first one."""
    edges = [0]
    while edges[-1] < len(middle):
        edges.append(int(np.searchsorted(middle, middle[edges[-1]] * _ALIKE, side="right")))
    return [range(first, stop) for first, stop in pairwise(edges)]


def _band(
    placed: _Pixels, grid: PolarGrid, radii: range, outermost_px: float, sigma: float, across: np.ndarray
) -> _Band:
    some = (placed.radius >= radii.start) & (placed.radius < radii.stop)
    from_axis = placed.from_axis[some]
    n_along = _count(float(np.abs(from_axis).max(initial=0)) * outermost_px * 2 * np.pi / grid.n_azimuths, sigma)
    place, along = _interpolation(n_along, from_axis)
    shape = (len(radii), across.shape[1], grid.n_azimuths, n_along)
    weight = np.empty(shape, np.float32)
    to = (placed.radius[some] - radii.start) * grid.n_azimuths + placed.sector[some]
    for k in range(shape[1]):
        part = placed.share[some] * across[some, k]
        for m in range(n_along):
            summed = np.bincount(to, part * along[:, m], len(radii) * grid.n_azimuths)
            weight[:, k, :, m] = summed.reshape(len(radii), -1)
    angle = (np.arange(grid.n_azimuths)[:, None] + 0.5 + place) * (2 * np.pi / grid.n_azimuths)
    return _Band(radii.start, radii.stop, angle.ravel(), weight.ravel())


def _count(half_px: float, sigma: float) -> int:
    return math.ceil(_LEAST + _PER_SIGMA * half_px / sigma)


def _starts(parts: list[np.ndarray]) -> np.ndarray:
    sizes = np.array([len(part) for part in parts], np.int64)
    return np.cumsum(sizes) - sizes


def _interpolation(n: int, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``n`` nodes that span the places ``at``, and (len(at), n): what the value at each of them counts there."""
    half = float(np.abs(at).max(initial=1e-6))
    node, weight = legendre.leggauss(n)
    degree = np.arange(n)
    project = (degree[:, None] + 0.5) * legendre.legvander(node, n - 1).T * weight
    return node * half, np.einsum("pd,dn->pn", legendre.legvander(at / half, n - 1), project)
