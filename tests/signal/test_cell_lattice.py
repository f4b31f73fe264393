"""Nodes within polar cells against the pixels that they stand for (docs/physics.md §12)."""

from functools import lru_cache

import numpy as np
import pytest

from difsims_core.kernels.polar.lattice import add_nodes, add_wide_spots, falling
from difsims_core.kernels.polar.shares import AT_PIXELS, BY_IMAGE
from difsims_core.kernels.spots.records import spot_buffer
from difsims_core.signal.cell_lattice import WideCells, sigma_class, wide_cells
from difsims_core.signal.cell_pixels import PolarCells, polar_cells
from difsims_core.signal.grid import RadialGrid
from difsims_core.signal.polar_grid import PolarGrid
from tests.oracles.compare import cosine

GRID = PolarGrid()
CALIBRATION = 0.01176
SEEN = np.zeros((1, 4))


@lru_cache(maxsize=2)
def cells(grid: PolarGrid = GRID) -> PolarCells:
    return polar_cells(256, CALIBRATION, grid)


def lattice(sigma_px: float, grid: PolarGrid = GRID) -> WideCells:
    return wide_cells(cells(grid), (int(sigma_class(np.array(sigma_px))),))


def drawn(spots: list[tuple[float, float, float]], sigma_px: float, grid: PolarGrid = GRID) -> np.ndarray:
    """Return the pattern of spots (x, y, intensity) on nodes."""
    nodes = lattice(sigma_px, grid).nodes
    values, work = np.zeros(nodes.n_nodes, np.float32), np.empty((4, nodes.most), np.float32)
    pattern = np.zeros(grid.n_radii * grid.n_azimuths, np.float32)
    buffer = spot_buffer(0, len(spots))
    for number, spot in enumerate(spots):
        buffer.x_px[number], buffer.y_px[number], buffer.intensity[number] = spot
    add_wide_spots(values, nodes, 0, buffer, len(spots), sigma_px, (0.0, 4.8, 114.0), work)
    add_nodes(values, nodes, 0, pattern, work)
    assert not values.any(), "the next pattern begins with nothing"
    return pattern.astype(float)


def at_pixels(spots: list[tuple[float, float, float]], sigma_px: float, grid: PolarGrid = GRID) -> np.ndarray:
    """Return the same as the means of cells over the pixels of an image, without an end of a spot."""
    of = cells(grid)
    y, x = np.array(np.divmod(of.pixels.pixel, of.size_px)) - (of.size_px - 1) / 2
    values = sum(i * np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * sigma_px**2)) for a, b, i in spots)
    cell = np.repeat(np.arange(len(of.pixels.start) - 1), np.diff(of.pixels.start))
    shared = np.bincount(cell, values * of.pixels.weight, len(of.pixels.start) - 1)
    return shared / (2 * np.pi * sigma_px**2)


def test_a_sigma_belongs_to_a_class_half_a_doubling_wide():
    assert sigma_class(np.array([0.3, 1.49, 1.5, 2.1, 2.2, 3.0, 6.0])).tolist() == [-1, -1, 0, 0, 1, 2, 4]
    assert sigma_class(np.float32(1.5)) == 0


def test_nodes_of_a_cell_average():
    """The weights of each cell add up to 1: a constant stays what it is, and the next pattern begins with nothing."""
    nodes = lattice(2.0).nodes
    pattern, work = np.zeros(74 * 72, np.float32), np.empty((4, nodes.most), np.float32)
    add_nodes(np.ones(nodes.n_nodes, np.float32), nodes, 0, pattern, work)
    assert pattern == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("sigma_px", [1.5, 2.0, 2.99, 4.0, 9.0])
@pytest.mark.parametrize("grid", [GRID, PolarGrid(annuli_per_radius=3, n_radii=49, n_azimuths=90),
                                  PolarGrid(annuli_per_radius=8, n_radii=18, n_azimuths=8)])  # fmt: skip
def test_spots_reach_the_cells_as_through_pixels(sigma_px, grid):
    """Near the beam, across the axis where azimuths begin, between the last radius and beyond it, and many at once."""
    random = np.random.default_rng(5)
    places = [(7.5, 4.0), (12.0, -0.2), (60.3, 0.1), (-40.2, 77.7), (111.0, 12.0), (0.0, -114.0)]
    for x, y in places:
        spot = [(x, y, 2.0)]
        assert cosine(drawn(spot, sigma_px, grid), at_pixels(spot, sigma_px, grid)) > 1 - 5e-5
    spots = [(*random.uniform(-90, 90, 2), random.exponential()) for _ in range(60)]
    found, expected = drawn(spots, sigma_px, grid), at_pixels(spots, sigma_px, grid)
    assert cosine(found, expected) > 1 - (2e-5 if sigma_px == 1.5 else 1e-5)
    assert found.sum() == pytest.approx(expected.sum(), rel=1e-3)
    assert np.abs(found - expected).max() < 0.01 * expected.max()
    assert found.min() >= 0


def test_a_spot_in_the_middle_is_round():
    pattern = drawn([(0.0, 0.0, 1.0)], 9.0)
    assert cosine(pattern, at_pixels([(0.0, 0.0, 1.0)], 9.0)) > 1 - 1e-5


def test_what_is_drawn_how():
    """Sharp spots at their pixels, hidden ones by an image, and all of them where the grid reaches the beam."""
    sigma, hidden = np.array([1.0, 2.0, 2.0, 4.2, 1.0]), np.zeros((5, 4))
    hidden[2, 0] = hidden[4, 1] = 5.0
    classes = tuple(np.unique(sigma_class(sigma))[1:].tolist())
    assert wide_cells(cells(), classes).routes(sigma, hidden).tolist() == [
        AT_PIXELS, 0, BY_IMAGE, 1, BY_IMAGE,
    ]  # fmt: skip
    around = PolarGrid(RadialGrid(n_bins=160, crop_bins=(0, 160)), 0, 80, 2, 72)
    assert wide_cells(polar_cells(256, CALIBRATION, around), (0,)).routes(sigma[1:2], SEEN) == BY_IMAGE


def test_the_falling_exponential():
    y = np.linspace(0, 40, 2001, dtype=np.float32)
    found = np.array([falling.py_func(value) for value in y], np.float64)
    assert found == pytest.approx(np.exp(-y.astype(float)), rel=2e-5)
