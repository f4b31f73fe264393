"""Integration of images: shapes, types, masks, directions, and what is refused."""

import numpy as np
import pytest

from difsims_core.errors import InputError
from difsims_core.signal.grid import RadialGrid, pixel_counts
from difsims_core.signal.integrate import PolarOperator, annulus_counts, radial_means

CALIBRATION = 0.02
GRID = RadialGrid(n_bins=24, step_per_angstrom=0.03, crop_bins=(2, 20))
SHAPE = (64, 64)


def spot(x: float, y: float, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """Return one pixel of intensity 1, at an offset from the centre of the frame."""
    image = np.zeros(shape)
    image[round(y + (shape[0] - 1) / 2), round(x + (shape[1] - 1) / 2)] = 1
    return image


@pytest.mark.parametrize(("size", "calibration"), [(515, 0.00588), (514, 0.0061), (129, 0.00588)])
def test_counts_are_those_of_the_grid(size, calibration):
    counts = annulus_counts((size, size), calibration)
    np.testing.assert_array_equal(counts, pixel_counts(size, calibration, RadialGrid()))
    assert counts.dtype == np.int64


def test_counts_of_a_small_frame_are_countable_by_hand():
    """3 × 5 px, annuli one pixel wide: distances 0; 1 (× 4) and √2 (× 4); 2 (× 2) and √5 (× 4)."""
    grid = RadialGrid(n_bins=5, step_per_angstrom=1.0, crop_bins=(0, 5))
    np.testing.assert_array_equal(annulus_counts((3, 5), 1.0, grid), [1, 8, 6, 0, 0])
    np.testing.assert_array_equal(annulus_counts((3, 5), 1.0, grid, centre_px=(0, 1)), [1, 5, 3, 3, 3])
    assert radial_means(np.ones((3, 5)), 1.0, grid).tolist() == [1, 1, 1, 0, 0]


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "i8", "f2", "f4", "f8", ">u2", ">f4", "?"])
def test_images_of_every_type_are_read_as_numbers(dtype):
    images = np.random.default_rng(1).integers(0, 200, (2, 3, *SHAPE)).astype(dtype)
    operator = PolarOperator(SHAPE, CALIBRATION, GRID)
    for integrate in (lambda stack: radial_means(stack, CALIBRATION, GRID), operator.apply):
        found = integrate(images)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, integrate(images.astype(np.float64)))
        np.testing.assert_array_equal(found[1, 2], integrate(images[1, 2]))


def test_shapes_follow_the_stack():
    operator = PolarOperator(SHAPE, CALIBRATION, GRID)
    for stack in [(), (1,), (0,), (2, 3)]:
        images = np.ones((*stack, *SHAPE), np.float32)
        assert radial_means(images, CALIBRATION, GRID).shape == (*stack, 24)
        assert operator.apply(images).shape == (*stack, 24, 360)
        assert operator.apply(images, GRID.crop).shape == (*stack, 18, 360)
        assert operator.apply(images, slice(5, 5)).shape == (*stack, 0, 360)


def test_a_flat_image_stays_flat():
    """Also in float32, to its last digit: sums are taken in double precision."""
    image = np.full(SHAPE, 0.1, np.float32)
    operator = PolarOperator(SHAPE, CALIBRATION, GRID)
    np.testing.assert_allclose(radial_means(image, CALIBRATION, GRID), np.float32(0.1), rtol=1e-7)
    np.testing.assert_allclose(operator.apply(image)[operator.pixels > 0], np.float32(0.1), rtol=1e-7)


def test_wanted_bins_are_those_of_the_whole_polar_pattern():
    image = np.random.default_rng(2).uniform(size=SHAPE)
    operator = PolarOperator(SHAPE, CALIBRATION, GRID)
    np.testing.assert_array_equal(operator.apply(image, GRID.crop), operator.apply(image)[GRID.crop])


@pytest.mark.parametrize(
    ("x", "y", "azimuth"), [(20.5, 0.5, 1), (0.5, 20.5, 88), (-20.5, 0.5, 178), (0.5, -20.5, 271), (10.5, 10.5, 45)]
)
def test_azimuth_runs_from_columns_to_rows(x, y, azimuth):
    operator = PolarOperator(SHAPE, CALIBRATION, GRID)
    held = operator.apply(spot(x, y)) * operator.pixels
    radial, bright = np.unravel_index(held.argmax(), held.shape)
    assert abs(bright - azimuth) <= 2
    assert abs(radial - np.hypot(x, y) * CALIBRATION / 0.03) <= 1
    assert held.sum() == pytest.approx(1, abs=0.02)
    mean_angle = np.angle((held.sum(axis=0) * np.exp(1j * np.deg2rad(operator.azimuth_deg))).sum(), deg=True) % 360
    assert mean_angle == pytest.approx(np.rad2deg(np.arctan2(y, x)) % 360, abs=0.1)


def test_bad_pixels_have_no_say():
    image, mask = np.ones(SHAPE), np.ones(SHAPE, bool)
    mask[:, :20] = False
    image[~mask] = np.nan
    np.testing.assert_array_equal(radial_means(image, CALIBRATION, GRID, mask=mask)[:20], 1)
    operator = PolarOperator(SHAPE, CALIBRATION, GRID, mask=mask)
    polar_pattern = operator.apply(image)
    np.testing.assert_allclose(polar_pattern[operator.pixels > 0], 1, rtol=1e-7)
    np.testing.assert_array_equal(polar_pattern[operator.pixels == 0], 0)
    assert operator.pixels[15, 180] == 0 < operator.pixels[15, 0]
    whole = PolarOperator(SHAPE, CALIBRATION, GRID)
    np.testing.assert_array_equal(
        PolarOperator(SHAPE, CALIBRATION, GRID, mask=np.ones(SHAPE, bool)).pixels, whole.pixels
    )


def test_a_beam_outside_the_frame_sees_it_from_one_side():
    operator = PolarOperator(SHAPE, CALIBRATION, GRID, centre_px=(-5.0, 31.5))
    assert operator.pixels[:, 90:270].sum() == 0
    assert operator.pixels[:, :80].sum() > 0
    assert annulus_counts(SHAPE, CALIBRATION, GRID, centre_px=(-5.0, 31.5))[:2].tolist() == [0, 0]


def test_what_is_shared_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        annulus_counts(SHAPE, CALIBRATION, GRID)[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        PolarOperator(SHAPE, CALIBRATION, GRID).pixels[0] = 1


@pytest.mark.parametrize(
    ("images", "arguments", "words"),
    [
        (np.zeros(5), {}, r"shape \(…, ny, nx\)"),
        (np.zeros(SHAPE, complex), {}, "complex128"),
        (np.zeros(SHAPE), {"mask": np.ones((3, 3), bool)}, r"mask.*\(3, 3\)"),
        (np.zeros(SHAPE), {"mask": np.ones(SHAPE)}, "mask.*float64"),
        (np.zeros(SHAPE), {"centre_px": (np.nan, 0)}, "centre"),
        (np.zeros(SHAPE), {"calibration_per_angstrom": 0.0}, "calibration"),
        (np.zeros((0, 5)), {}, "shape"),
    ],
)
def test_what_cannot_be_integrated_is_refused(images, arguments, words):
    with pytest.raises(InputError, match=words):
        radial_means(images, **{"calibration_per_angstrom": CALIBRATION, "grid": GRID, **arguments})


def test_an_operator_refuses_frames_of_another_detector():
    operator = PolarOperator(SHAPE, CALIBRATION, GRID)
    with pytest.raises(InputError, match=r"\(64, 64\).*\(65, 64\)"):
        operator.apply(np.zeros((65, 64)))
    with pytest.raises(InputError, match=" 2"):
        operator.apply(np.zeros(SHAPE), slice(None, None, 2))
