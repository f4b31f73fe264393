"""Nodes within polar cells that stand for the pixels of a cell where spots are wide (docs/physics.md §12)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial import legendre

from difsims_core.kernels.polar.lattice import CellLattices
from difsims_core.kernels.polar.shares import AT_PIXELS, BY_IMAGE
from difsims_core.signal.cell_pixels import PolarCells
from difsims_core.signal.polar_grid import PolarGrid

NARROWEST_PX = 1.5
"""σ from which spots are drawn on nodes, pixels: sharper ones cover fewer pixels than nodes."""
_CLASSES_PER_DOUBLING = 2
_ALIKE = 1.6  # ratio of the radii of a band
_SIGMAS_TOGETHER = 2.0  # width of the radii that have nodes in common
_LEAST = 2.0  # nodes of half a width of nothing
_ACROSS, _ALONG = 2.0, 1.5  # more for each σ of it along the radius and the azimuth: cosines above 1 − 10⁻⁵


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
def wide_cells(cells: PolarCells, classes: tuple[int, ...]) -> WideCells:
    """Return the nodes of a grid on its detector for some classes of σ: none where the grid reaches the beam.

    What the pixels of a cell make of a function, its mean over them by their shares, equals what they make of the
    polynomial in radius and azimuth that meets the function in the nodes, those of Gauss–Legendre quadrature; that is a
    sum over the nodes.

    Parameters
    ----------
    cells
        The grid on its detector.
    classes
        Of ``sigma_class``, increasing.
    """
    grid = cells.grid
    width = grid.annuli_per_radius * cells.step_px
    middle = (grid.first_annulus - 0.5) * cells.step_px + width / 2 + width * np.arange(grid.n_radii)
    placed = _pixels(cells, middle)
    if np.abs(placed.from_middle).max() >= middle[0]:
        classes = ()
    bands = [_bands_of(placed, cells, middle, number) for number in classes]
    every = [band for some in bands for band in some]
    offset_px = np.zeros((len(classes), max((len(some[0].offset_px) for some in bands), default=0)))
    for row, some in zip(offset_px, bands, strict=True):
        row[: len(some[0].offset_px)] = some[0].offset_px
    angles = np.concatenate([*(band.angle for band in every), np.empty(0)])
    most = max((max(len(band.angle), len(band.offset_px) * grid.n_radii) for band in every), default=0)
    nodes = CellLattices(
        float(middle[0]), float(width), grid.n_azimuths, grid.n_radii, most,
        np.cumsum([0, *(len(some) for some in bands)]), np.array([some[0].together for some in bands], np.int64),
        np.array([len(some[0].offset_px) for some in bands], np.int64), offset_px,
        np.array([band.radii.start for band in every], np.int64),
        np.array([band.radii.stop for band in every], np.int64),
        np.array([len(band.angle) // grid.n_azimuths for band in every], np.int64),
        _starts([len(band.angle) for band in every]), np.cos(angles), np.sin(angles),
        _starts([band.n_nodes for band in every]), sum(band.n_nodes for band in every),
        _starts([len(band.weight) for band in every]),
        np.concatenate([*(band.weight for band in every), np.empty(0, np.float32)]),
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
    """Some radii, ``together`` of which have nodes in common: these, and weights (radius, radial node, angle)."""

    radii: range
    together: int
    offset_px: np.ndarray
    angle: np.ndarray
    weight: np.ndarray

    @property
    def n_nodes(self) -> int:
        return -(-len(self.radii) // self.together) * len(self.offset_px) * len(self.angle)


def _pixels(cells: PolarCells, middle: np.ndarray) -> _Pixels:
    n = cells.grid.n_azimuths
    radius, sector = np.divmod(np.repeat(np.arange(len(middle) * n), np.diff(cells.pixels.start)), n)
    y, x = np.array(np.divmod(cells.pixels.pixel, cells.size_px)) - (cells.size_px - 1) / 2
    turned = np.arctan2(y, x) / (2 * np.pi) * n - (sector + 0.5)
    share = cells.pixels.weight.astype(np.float64)
    return _Pixels(radius, sector, np.hypot(x, y) - middle[radius], turned - n * np.round(turned / n), share)


def _bands_of(placed: _Pixels, cells: PolarCells, middle: np.ndarray, number: int) -> list[_Band]:
    """Return the bands of a class: whole rings, of which the last radius is hardly larger than the first one."""
    sigma = NARROWEST_PX * 2 ** (number / _CLASSES_PER_DOUBLING)
    width = cells.grid.annuli_per_radius * cells.step_px
    together = max(1, round(_SIGMAS_TOGETHER * sigma / width))
    bands, first = [], 0
    while first < len(middle):
        alike = int(np.searchsorted(middle, middle[first] * _ALIKE, side="right")) - first
        stop = min(first + max(alike // together, 1) * together, len(middle))
        bands.append(_band(placed, cells.grid, middle, range(first, stop), together, sigma))
        first = stop
    return bands


def _band(placed: _Pixels, grid: PolarGrid, middle: np.ndarray, radii: range, together: int, sigma: float) -> _Band:
    some = (placed.radius >= radii.start) & (placed.radius < radii.stop)
    row, from_axis, width = placed.radius[some] - radii.start, placed.from_axis[some], middle[1] - middle[0]
    from_ring = placed.from_middle[some] + (row % together - (together - 1) / 2) * width
    half = float(np.abs(placed.from_middle).max()) + (together - 1) / 2 * width
    offset, across = _interpolation(_count(half, sigma, _ACROSS), half, from_ring)
    half = float(np.abs(from_axis).max(initial=0.5))
    n_along = _count(half * middle[radii[-1]] * 2 * np.pi / grid.n_azimuths, sigma, _ALONG)
    place, along = _interpolation(n_along, half, from_axis)
    weight = np.empty((len(radii), len(offset), grid.n_azimuths, n_along), np.float32)
    for k in range(len(offset)):
        part = placed.share[some] * across[:, k]
        for m in range(n_along):
            summed = np.bincount(
                row * grid.n_azimuths + placed.sector[some], part * along[:, m], weight[:, 0, :, 0].size
            )
            weight[:, k, :, m] = summed.reshape(len(radii), -1)
    angle = (np.arange(grid.n_azimuths)[:, None] + 0.5 + place) * (2 * np.pi / grid.n_azimuths)
    return _Band(radii, together, offset, angle.ravel(), weight.ravel())


def _count(half_px: float, sigma: float, per_sigma: float) -> int:
    return math.ceil(_LEAST + per_sigma * half_px / sigma)


def _starts(sizes: list[int]) -> np.ndarray:
    return np.cumsum(np.array(sizes, np.int64)) - sizes


def _interpolation(n: int, half: float, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``n`` nodes on −half … half, and (len(at), n): what the value at each of them counts at ``at``."""
    node, weight = legendre.leggauss(n)
    degree = np.arange(n)
    project = (degree[:, None] + 0.5) * legendre.legvander(node, n - 1).T * weight
    return node * half, np.einsum("pd,dn->pn", legendre.legvander(at / half, n - 1), project)
