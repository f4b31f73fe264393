"""The pixels of the cells of a polar grid on a detector."""

import numpy as np
import pytest

from difsims_core.errors import InputError
from difsims_core.signal.cell_pixels import polar_cells
from difsims_core.signal.grid import RadialGrid
from difsims_core.signal.polar_grid import PolarGrid


@pytest.mark.parametrize("size", [255, 256])
def test_each_cell_is_a_mean_over_its_pixels(size):
    """And the grid is symmetric about the middle of the frame, whether that is a pixel or a corner of four."""
    cells = polar_cells(size, 0.0118, PolarGrid())
    total = np.bincount(cells.shares.cell, cells.shares.weight, 74 * 72)
    assert total == pytest.approx(1, abs=1e-5)
    squares = np.bincount(cells.shares.cell, cells.shares.weight.astype(float) ** 2, 74 * 72).reshape(74, 72)
    assert cells.effective == pytest.approx(1 / squares, rel=1e-5)
    assert 226 < cells.size_px < size
    assert cells.size_px % 2 == size % 2
    by_cell = np.repeat(np.arange(74 * 72), np.diff(cells.pixels.start))
    by_pixel = np.repeat(np.arange(cells.size_px**2), np.diff(cells.shares.start))
    entries = (zip(by_cell, cells.pixels.pixel, strict=True), zip(cells.shares.cell, by_pixel, strict=True))
    assert set(entries[0]) == set(entries[1])
    turned = np.roll(cells.effective, 18, axis=1)
    assert cells.effective == pytest.approx(turned, rel=2e-3)
    assert cells.effective.min() > 1, "no cell of the default grid needs merging"


def test_a_cell_beside_the_frame_has_no_pixels():
    grid = PolarGrid(RadialGrid(), 13, 100, 2, 72)
    cells = polar_cells(256, 0.01176, grid)
    assert np.count_nonzero(cells.effective == 0) > 100
    assert np.isfinite(cells.shares.weight).all()


def test_too_many_pixels_are_refused():
    with pytest.raises(InputError, match="reach 4449 px") as raised:
        polar_cells(8192, 3e-4, PolarGrid())
    assert "binned" in raised.value.remedy


def test_means_of_annuli_are_weighted_by_area():
    grid = PolarGrid(RadialGrid(n_bins=8, crop_bins=(0, 8)), 0, 2, 3, 8)
    values = np.arange(8.0)[None]
    area = np.array([0.25, 2, 4, 6, 8, 10])
    expected = [(area[:3] @ [0, 1, 2]) / area[:3].sum(), (area[3:] @ [3, 4, 5]) / area[3:].sum()]
    assert grid.mean_of_annuli(values) == pytest.approx(np.array([expected]))
