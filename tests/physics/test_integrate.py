"""Images integrated to profiles and polar patterns, against pyFAI, brute force, and the route without images.

See docs/physics.md §2.
"""

import numpy as np
import pytest
from pyFAI.integrator.azimuthal import AzimuthalIntegrator

from difsims_core import patterns, radial_profiles
from difsims_core.signal.grid import RadialGrid, pixel_counts
from tests.oracles import image_route
from tests.oracles.compare import cosine
from tests.oracles.crystals import DEFAULT_PHASES
from tests.oracles.integrate import PolarOperator, annulus_counts, radial_means
from tests.oracles.orientations import uniform_orientations

SIZE, CALIBRATION, GRID = 515, 0.00588, RadialGrid()
SIGMAS_PX = (1.5, 2.5, 4.0)
CASES = [(name, sigma_px) for name in DEFAULT_PHASES for sigma_px in SIGMAS_PX]
N_BINS = GRID.n_bins - 1  # pyFAI's innermost bin would start at a negative radius
STEP_PX = GRID.step_per_angstrom / CALIBRATION
AS_HERE = {"correctSolidAngle": False, "unit": "r_mm", "radial_range": (0.5 * STEP_PX, (N_BINS + 0.5) * STEP_PX)}


def images_of(name: str, sigma_px: float) -> np.ndarray:
    """Return four images; a spot of the first p4mbm pattern sits on the x axis, the worst place for square pixels."""
    return patterns(name, uniform_orientations(4, seed=31), sigma_px=sigma_px)


def pyfai(centre_px: tuple[float, float] = (257.0, 257.0), cut_deg: float = 180) -> AzimuthalIntegrator:
    """Return pyFAI's integrator with pixels of 1 mm: its radius in mm is ours in pixels, and q = r · calibration."""
    x, y = centre_px
    integrator = AzimuthalIntegrator(dist=1.0, poni1=(y + 0.5) * 1e-3, poni2=(x + 0.5) * 1e-3, pixel1=1e-3, pixel2=1e-3)
    if cut_deg == 0:
        integrator.setChiDiscAtZero()
    return integrator


@pytest.fixture(scope="module")
def both_cuts() -> tuple[AzimuthalIntegrator, AzimuthalIntegrator]:
    return pyfai(cut_deg=180), pyfai(cut_deg=0)


@pytest.fixture(scope="module")
def operator() -> PolarOperator:
    return PolarOperator((SIZE, SIZE), CALIBRATION)


def pyfai_polar(image: np.ndarray, both_cuts) -> np.ndarray:
    """Return pyFAI's polar pattern with pixels split along their edges, (255, 360).

    It smears a pixel that straddles the cut of the azimuth over the whole circle: each half of the image is
    integrated with the cut in the other half, which is left dark.
    """
    split = {"method": ("full", "csr", "cython"), **AS_HERE}
    columns = np.arange(SIZE) - 257
    right, left = np.where(columns > -3, image, 0), np.where(columns < 3, image, 0)
    cut_left, cut_right = both_cuts
    near = cut_left.integrate2d_ng(right, N_BINS, 360, azimuth_range=(-180, 180), **split).intensity
    far = cut_right.integrate2d_ng(left, N_BINS, 360, azimuth_range=(0, 360), **split).intensity
    azimuth = np.arange(360)[:, None]
    return np.where((azimuth >= 90) & (azimuth < 270), far, np.roll(near, 180, axis=0)).T


def azimuthal_mean(polar_patterns: np.ndarray, operator: PolarOperator) -> np.ndarray:
    """Return the mean of polar patterns over the azimuth, each cell weighted by its area."""
    total, area = (polar_patterns.astype(np.float64) * operator.pixels).sum(axis=-1), operator.pixels.sum(axis=-1)
    return np.divide(total, area, out=np.zeros_like(total), where=area > 0)


@pytest.mark.parametrize(("name", "sigma_px"), CASES)
def test_annulus_means_are_those_of_pyfai(name, sigma_px, both_cuts):
    images = images_of(name, sigma_px)
    for image, ours in zip(images, radial_means(images, CALIBRATION), strict=True):
        theirs = both_cuts[0].integrate1d_ng(image, N_BINS, method=("no", "csr", "cython"), **AS_HERE)
        np.testing.assert_allclose(theirs.radial * CALIBRATION, GRID.q[1:], rtol=1e-6)
        assert np.abs(ours[1:] - theirs.intensity).mean() <= 1e-6 * theirs.intensity.max()
        assert ours[0] == image[257, 257]


def test_annulus_means_of_an_off_centre_beam_and_a_mask_are_those_of_pyfai():
    image = images_of("gratia_2h", 2.5)[1]
    centre_px, mask = (243.3, 270.8), np.ones((SIZE, SIZE), bool)
    mask[250:280, :260] = False  # a beam stop with its arm
    theirs = pyfai(centre_px).integrate1d_ng(image, N_BINS, mask=~mask, method=("no", "csr", "cython"), **AS_HERE)
    ours = radial_means(image, CALIBRATION, centre_px=centre_px, mask=mask)
    assert np.abs(ours[1:] - theirs.intensity).mean() <= 1e-5 * theirs.intensity.max()
    counts = annulus_counts((SIZE, SIZE), CALIBRATION, centre_px=centre_px, mask=mask)
    assert np.abs(counts[1:] - theirs.sum_normalization).sum() <= 24  # single precision at the edges of annuli


@pytest.mark.parametrize(("name", "sigma_px"), CASES)
def test_polar_patterns_are_those_of_pyfai(name, sigma_px, both_cuts, operator):
    images = images_of(name, sigma_px)
    for image, ours in zip(images, operator.apply(images)[:, 1:], strict=True):
        theirs = pyfai_polar(image, both_cuts)
        assert np.abs(ours - theirs).mean() <= 1e-4 * theirs.max()
        assert np.abs(ours - theirs).sum() <= 0.02 * theirs.sum()
        assert np.abs(ours - theirs).max() <= 0.025 * theirs.max()
        assert cosine(ours.ravel(), theirs.ravel()) >= 0.9998


@pytest.mark.parametrize(("name", "sigma_px"), CASES)
def test_profiles_without_images_are_the_means_of_polar_patterns(name, sigma_px, operator, crop):
    means = azimuthal_mean(operator.apply(images_of(name, sigma_px)), operator)[:, crop]
    profiles = radial_profiles(name, uniform_orientations(4, seed=31), sigma_px=sigma_px)[:, crop]
    areas = operator.pixels.sum(axis=1)[crop]
    np.testing.assert_allclose(means @ areas, profiles @ areas, rtol=5e-4)
    for integrated, profile in zip(means, profiles, strict=True):
        assert cosine(integrated, profile) >= 0.999
        assert np.abs(integrated - profile).max() <= (0.025 if sigma_px < 2 else 0.015) * profile.max()


@pytest.mark.parametrize(("name", "sigma_px"), CASES)
def test_whole_pixels_alias_but_keep_the_intensity(name, sigma_px, counts, crop):
    """A spot on an axis is shared 1 : 2 by annuli of one and of two columns (cosine 0.96 at σ = 1.5 px)."""
    integrated = radial_means(images_of(name, sigma_px), CALIBRATION)[:, crop].astype(np.float64)
    profiles = radial_profiles(name, uniform_orientations(4, seed=31), sigma_px=sigma_px)[:, crop]
    np.testing.assert_allclose(integrated @ counts, profiles @ counts, rtol=5e-3)
    found = np.array([cosine(a, b) for a, b in zip(integrated, profiles, strict=True)])
    assert np.median(found) >= 0.985
    assert found.min() >= 0.955


@pytest.mark.parametrize("name", DEFAULT_PHASES)
def test_the_mean_of_a_polar_pattern_is_the_profile_of_pixels_shared_by_area(name, operator):
    """Against pixels cut into 11 × 11, themselves wrong by 1 % of the maximum where a spot sits on an axis."""
    images = images_of(name, 1.5)
    for image, integrated in zip(images, azimuthal_mean(operator.apply(images), operator), strict=True):
        shared = image_route.radial_mean(image_route.split_pixels(image, 11), supersample=11)
        assert np.abs(integrated - shared).max() <= 0.015 * shared.max()
        assert cosine(integrated, shared) >= 0.9999


def test_cells_of_an_annulus_have_its_area(operator):
    full, areas = image_route.full_annuli(), image_route.annulus_areas_px()
    np.testing.assert_allclose(operator.pixels.sum(axis=1)[full], areas[full], rtol=1e-9)
    np.testing.assert_allclose(operator.pixels[full], np.tile(areas[full, None] / 360, 360), rtol=1e-9)


def test_cells_of_annuli_cut_by_the_frame_have_the_area_inside_it(operator):
    """Against centres of pixels cut into 9 × 9, for the annuli that hold a pixel at least."""
    size = 9 * SIZE
    inside = annulus_counts((size, size), CALIBRATION / 9, GRID) / 81
    held = operator.pixels.sum(axis=1)
    some = pixel_counts(SIZE, CALIBRATION, GRID) > 8
    np.testing.assert_allclose(held[some], inside[some], rtol=0.01)
    assert held.sum() == pytest.approx(inside.sum(), rel=1e-4)


@pytest.mark.parametrize(("shape", "centre_px"), [((61, 61), (30.0, 30.0)), ((50, 73), (28.3, 26.6))])
def test_cells_share_pixels_as_brute_force_does(shape, centre_px):
    """Every pixel cut into 75 × 75, random intensities: the worst images for an integrator."""
    parts, (ny, nx), (x, y) = 75, shape, centre_px
    image = np.random.default_rng(3).uniform(size=shape)
    rows = ((np.arange(ny * parts) + 0.5) / parts - 0.5 - y)[:, None]
    columns = ((np.arange(nx * parts) + 0.5) / parts - 0.5 - x)[None, :]
    radial = np.floor(np.hypot(rows, columns) / STEP_PX + 0.5).astype(int)
    cells = (radial * 360 + np.floor(np.rad2deg(np.arctan2(rows, columns)) % 360).astype(int)).ravel()
    number = np.bincount(cells, minlength=N_BINS * 360).reshape(-1, 360)
    total = np.bincount(cells, image_route.split_pixels(image, parts).ravel(), N_BINS * 360).reshape(-1, 360)
    operator = PolarOperator(shape, CALIBRATION, centre_px=centre_px)
    polar_pattern = operator.apply(image)
    bins = slice(6, 17)  # cells of 0.2 px² and more, inside the frame
    np.testing.assert_allclose(
        operator.pixels[bins], number[bins] / parts**2, atol=0.012
    )  # brute force is off by as much
    brute = total[bins] / number[bins]
    assert np.abs(polar_pattern[bins] - brute).max() <= 0.03
    assert np.sqrt(((polar_pattern[bins] - brute) ** 2).mean()) <= 0.004
