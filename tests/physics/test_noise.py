"""What a counting detector does to a profile, against theory and against noise drawn pixel by pixel.

See docs/physics.md §6.
"""

import numpy as np
import pytest

from difsims_core.augment.noise import apply_counting_noise
from tests.effort import either
from tests.oracles import ewald, image_route, noise_route
from tests.oracles.crystals import published_phase
from tests.oracles.ewald import Spots
from tests.oracles.orientations import uniform_orientations
from tests.oracles.structure_factor import reflections

N_DRAWS = 12_000
UNIT = 37.0  # P, in the arbitrary units of intensity
COUNTS = image_route.pixel_counts(515)


def smooth_profile() -> np.ndarray:
    """Return a profile between 3 % and 40 % of the unit in every bin, (256,)."""
    q = np.arange(256)
    return UNIT * (0.03 + 0.3 * np.exp(-q / 60) + 0.1 * np.sin(q / 9) ** 2)


def draw(profile: np.ndarray, n: int, *, counts=COUNTS, unit=UNIT, dose=20.0, snr=1.0, spike=0.0, seed=1, first=0):
    """Return ``n`` noisy signal of one profile: patterns ``first`` to ``first + n``."""
    return np.asarray(
        apply_counting_noise(
            profiles=np.tile(profile, (n, 1)),
            pixel_counts=counts,
            unit=np.full(n, unit),
            dose=np.full(n, dose),
            snr=np.full(n, snr),
            intensity_spike=np.full(n, spike),
            seed=seed,
            patterns=np.arange(first, first + n, dtype=np.int64),
        )
    )


def assert_follows(drawn: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> None:
    """Compare per-bin mean and variance with theory: 5 % or five standard errors, and 1 % over all bins."""
    n = len(drawn)
    drawn = drawn.astype(float)
    found_mean, found_variance = drawn.mean(axis=0), drawn.var(axis=0)
    fourth = ((drawn - found_mean) ** 4).mean(axis=0)
    error_of_mean = np.sqrt(variance / n)
    error_of_variance = np.sqrt(np.maximum(fourth - found_variance**2, 0) / n)
    assert np.all(np.abs(found_mean - mean) < np.minimum(0.05 * mean, 5 * error_of_mean) + 1e-6 * mean)
    assert np.all(np.abs(found_variance - variance) < np.maximum(0.05 * variance, 5 * error_of_variance))
    assert (found_mean / mean).mean() == pytest.approx(1, abs=2e-3)
    assert (found_variance / variance).mean() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("dose", [1.0, 20.0, 1000.0])
@pytest.mark.parametrize(("snr", "spike"), [(1.0, 0.0), (0.9, 0.5), (0.99, 3.0)])
def test_mean_and_variance_follow_theory(dose, snr, spike):
    """Bins of ten or more pixels: the others have too few counts for their variance to be measured."""
    profile = smooth_profile()
    drawn = draw(profile, N_DRAWS, dose=dose, snr=snr, spike=spike)
    assert drawn.shape == (N_DRAWS, 256)
    mean, variance = noise_route.theory(profile, COUNTS, unit=UNIT, dose=dose, snr=snr, intensity_spike=spike)
    enough = COUNTS >= 10
    assert_follows(drawn[:, enough], mean[enough], variance[enough])


def test_the_one_pixel_of_the_first_bin_is_poisson():
    """n = 1 and mean 0.4 × 2: probabilities of 0, 1, 2, 3 counts."""
    profile = np.full(256, 0.4 * UNIT)
    counts = np.rint(draw(profile, N_DRAWS, dose=2.0)[:, 0] * 2.0 / UNIT).astype(int)
    found = np.bincount(counts, minlength=4)[:4] / N_DRAWS
    expected = np.exp(-0.8) * np.array([1, 0.8, 0.8**2 / 2, 0.8**3 / 6])
    np.testing.assert_allclose(found, expected, atol=5 * np.sqrt(0.25 / N_DRAWS))


@pytest.mark.parametrize("dose", [1.0, 20.0])
def test_without_hot_pixels_readings_are_whole_counts(dose):
    drawn = draw(smooth_profile(), 50, dose=dose)
    counts = drawn * dose * COUNTS / UNIT
    np.testing.assert_allclose(counts, np.rint(counts), atol=0.02)


def test_every_pixel_hot_reads_the_spike():
    """A probability of (1 - snr)/2 = 1/2 is the most there can be; the mean is half way to the spike."""
    profile = np.zeros(256)
    drawn = draw(profile, 4000, snr=0.0, spike=2.0)
    enough = COUNTS >= 100
    np.testing.assert_allclose(drawn[:, enough].mean(axis=0), 0.5 * 2.0 * UNIT, rtol=0.02)
    assert drawn.max() <= 2.0 * UNIT * (1 + 1e-6)


def test_nothing_is_read_where_nothing_is():
    np.testing.assert_array_equal(draw(np.zeros(256), 20), 0)


def test_bins_are_independent_of_each_other():
    drawn = draw(smooth_profile(), 5000, dose=5.0)[:, 20:60].astype(float)
    correlation = np.corrcoef(drawn.T)
    assert np.abs(correlation[~np.eye(40, dtype=bool)]).max() < 5.5 / np.sqrt(5000)


def test_patterns_and_seeds_are_independent_of_each_other():
    profile = smooth_profile()
    mean, variance = noise_route.theory(profile, COUNTS, unit=UNIT, dose=20.0, snr=1.0, intensity_spike=0.0)
    a, b, c = (
        (draw(profile, 40, seed=seed, first=first) - mean) / np.sqrt(variance)
        for seed, first in [(1, 0), (2, 0), (1, 40)]
    )
    for one, other in [(a, b), (a, c), (a[:-1], a[1:])]:
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 5 / np.sqrt(one.size)


def test_noise_of_a_pattern_does_not_depend_on_batch_or_order():
    rng = np.random.default_rng(8)
    n = 64
    arguments = {
        "profiles": UNIT * rng.uniform(0, 0.5, (n, 256)),
        "unit": rng.uniform(5, 50, n),
        "dose": rng.uniform(1, 1000, n),
        "snr": rng.uniform(0.9, 1, n),
        "intensity_spike": rng.uniform(0, 2, n),
        "patterns": np.arange(1000, 1000 + n, dtype=np.int64),
    }

    def noisy(rows) -> np.ndarray:
        chosen = {name: np.ascontiguousarray(values[rows]) for name, values in arguments.items()}
        return np.asarray(apply_counting_noise(pixel_counts=COUNTS, seed=10, **chosen))

    together = noisy(np.arange(n))
    np.testing.assert_array_equal(noisy(np.arange(n)), together)
    halves = np.concatenate([noisy(np.arange(17)), noisy(np.arange(17, n))])
    np.testing.assert_array_equal(halves, together)
    order = rng.permutation(n)
    np.testing.assert_array_equal(noisy(order), together[order])


def test_the_input_is_left_alone():
    profile = smooth_profile()[None].copy()
    before = profile.copy()
    one = np.ones(1)
    apply_counting_noise(
        profiles=profile,
        pixel_counts=COUNTS,
        unit=one * UNIT,
        dose=one * 10,
        snr=one * 0.9,
        intensity_spike=one,
        seed=1,
        patterns=np.zeros(1, dtype=np.int64),
    )
    np.testing.assert_array_equal(profile, before)


def test_annuli_outside_a_small_frame_stay_finite():
    """A 129 px frame leaves the outer bins without a pixel."""
    counts = image_route.pixel_counts(129)
    assert counts[-1] == 0
    profile = np.where(counts > 0, 0.2 * UNIT, 0.0)
    drawn = draw(profile, 10, counts=counts, snr=0.95, spike=1.0)
    assert np.all(np.isfinite(drawn))
    np.testing.assert_array_equal(drawn[:, counts == 0], 0)


def spot_image(size: int) -> tuple[np.ndarray, float]:
    """Return a native image of four spots over a background, on a small frame, and its unit P."""
    spots = Spots(np.array([0.1, -0.2, 0.0, 0.25]), np.array([0.05, 0.2, -0.3, -0.1]), np.array([1.0, 0.6, 0.8, 0.3]))
    image = image_route.render(spots, sigma_px=3.0, size=size, supersample=1)
    return image + 0.02 * image.max(), noise_route.intensity_unit(spots, 3.0)


def assert_agrees_with_pixels(image: np.ndarray, unit: float, n: int, bins: slice, *, dose, snr, spike) -> None:
    """Compare the two routes for one image: means, and variances less what only pixels can know.

    A hot pixel replaces the intensity of *its* pixel, the radial route's replaces the mean of the annulus:
    the pixel route has η (1 - η) v / n more variance, v the variance of the clean pixels in the annulus.
    """
    size = image.shape[0]
    counts, clean = image_route.pixel_counts(size), image_route.radial_mean(image)
    rng = np.random.default_rng(5)
    noise = {"unit": unit, "dose": dose, "snr": snr, "intensity_spike": spike}
    pixels = noise_route.noisy_profiles(image, n, rng=rng, **noise)[:, bins]
    radial = draw(clean, n, counts=counts, unit=unit, dose=dose, snr=snr, spike=spike)[:, bins].astype(float)
    hot = (1 - snr) / 2
    extra = unit**2 * hot * (1 - hot) * noise_route.spread_within_annuli(image, unit)[bins] / counts[bins]
    error = np.sqrt((pixels.var(axis=0) + radial.var(axis=0)) / n)
    assert np.all(np.abs(pixels.mean(axis=0) - radial.mean(axis=0)) < 5 * error)
    ratio = (pixels.var(axis=0) - extra) / radial.var(axis=0)
    assert np.all(np.abs(ratio - 1) < 6 * np.sqrt(4 / n))
    assert ratio.mean() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(("snr", "spike"), [(1.0, 0.0), (0.95, 0.5), (0.99, 2.0)])
@pytest.mark.parametrize("dose", [5.0, 200.0])
def test_radial_noise_agrees_with_pixel_noise(dose, snr, spike):
    image, unit = spot_image(129)
    assert_agrees_with_pixels(image, unit, 1500, slice(10, 44), dose=dose, snr=snr, spike=spike)


@pytest.mark.slow
@pytest.mark.parametrize("seed", either([51], [51, 52, 53]))
def test_radial_noise_agrees_with_pixel_noise_on_whole_patterns(seed):
    found = reflections(published_phase("p4mbm_scaled_mixed_halide"), 1.6)
    spots = ewald.spots(found, uniform_orientations(1, seed=seed))
    image = image_route.render(spots, sigma_px=4.0, supersample=1)
    image += 0.01 * image.max()  # counts in every bin
    unit = noise_route.intensity_unit(spots, 4.0)
    assert_agrees_with_pixels(image, unit, 600, slice(13, 160), dose=20.0, snr=0.98, spike=0.5)
