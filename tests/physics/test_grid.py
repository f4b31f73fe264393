"""docs/physics.md §2: the radial grid, its crop, and the number of pixels in each annulus."""

import numpy as np
import pytest

from difsims_core.signal.grid import RadialGrid, pixel_counts
from tests.oracles import image_route


def test_grid_has_the_numbers_of_the_convention():
    grid = RadialGrid()
    assert grid.n_bins == 256
    assert grid.step_per_angstrom == 0.008290514530472063
    assert grid.crop == slice(13, 160)
    np.testing.assert_allclose(grid.q, np.arange(256) * 0.008290514530472063, rtol=1e-15)


def test_cropped_grid_starts_and_ends_where_the_classifiers_input_does():
    cropped = RadialGrid().q[RadialGrid().crop]
    assert cropped.shape == (147,)
    assert cropped[0] == pytest.approx(0.10777668889613681, rel=1e-14)
    assert cropped[-1] == pytest.approx(1.318191810345058, rel=1e-14)


def test_grid_reaches_the_corner_of_the_frame():
    """The last point is within one pixel diagonal of the corner pixel's centre."""
    corner = 257 * np.sqrt(2) * 0.00588
    assert RadialGrid().q[-1] <= corner < RadialGrid().q[-1] + 4 * RadialGrid().step_per_angstrom


@pytest.mark.parametrize(("size", "calibration"), [(515, 0.00588), (515, 0.0061), (257, 0.01176), (129, 0.00588)])
def test_pixel_counts_are_those_of_the_square_frame(size, calibration):
    counts = np.asarray(pixel_counts(size, calibration, RadialGrid()))
    np.testing.assert_array_equal(counts, image_route.pixel_counts(size, calibration))


def test_pixel_counts_near_the_beam_are_countable_by_hand():
    """Bin 0 ends at 0.70 px and bin 1 at 2.11 px: the centre; then the distances 1, √2 and 2."""
    assert list(pixel_counts(515, 0.00588, RadialGrid())[:2]) == [1, 12]


def test_pixel_counts_follow_the_area_inside_the_frame_and_fall_in_the_corners():
    counts = np.asarray(pixel_counts(515, 0.00588, RadialGrid()))
    areas = image_route.annulus_areas_px()
    full = image_route.full_annuli()
    assert counts[full].sum() == pytest.approx(areas[full].sum(), rel=1e-3)
    assert np.all(counts[-50:] < 0.5 * areas[-50:])
    assert 0 < counts.sum() <= 515**2
