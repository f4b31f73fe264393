"""Polar patterns against cells integrated by Gauss's rule, rendered images, and their own profiles.

See docs/physics.md §2.
"""

import numpy as np
import pytest
from orix.quaternion import Rotation

from difsims_core import radial_profiles
from difsims_core.config.documents import make_spec
from difsims_core.crystal.phases import load_phase
from difsims_core.diffraction.noise_free import patterns, polar_patterns
from difsims_core.signal.grid import RadialGrid, pixel_counts, polar_pixel_counts
from difsims_core.simulation.simulator import Simulator
from tests.oracles import ewald, imperfections, noise_route
from tests.oracles.compare import cosine
from tests.oracles.crystals import DEFAULT_PHASES
from tests.oracles.integrate import PolarOperator
from tests.oracles.orientations import uniform_orientations
from tests.oracles.structure_factor import reflections
from tests.physics.runs import CROP, Run, worst

WHOLE = slice(0, 182)  # annuli that the frame leaves whole
PIXELS = polar_pixel_counts(515, 0.00588, RadialGrid())
COUNTS = pixel_counts(515, 0.00588, RadialGrid())


@pytest.fixture(scope="module")
def operator() -> PolarOperator:
    return PolarOperator((515, 515), 0.00588)


def azimuthal_mean(polar_pattern: np.ndarray) -> np.ndarray:
    """Return the mean of (…, n, 360) cells of the first n annuli, weighted with their pixels."""
    pixels = PIXELS[: polar_pattern.shape[-2]] if polar_pattern.shape[-2] != 147 else PIXELS[CROP]
    return (polar_pattern * pixels).sum(axis=-1) / np.maximum(pixels.sum(axis=-1), 1e-9)


@pytest.mark.parametrize("sigma_px", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("name", DEFAULT_PHASES)
def test_cells_are_those_of_integrated_gaussians_and_their_mean_is_the_profile(name, sigma_px, operator):
    phase, rotations = load_phase(name), uniform_orientations(2, seed=71)
    found = reflections(phase, 1.7)
    drawn = polar_patterns(phase, rotations, sigma_px=sigma_px).astype(float)
    profiles = radial_profiles(phase, rotations, sigma_px=sigma_px).astype(float)
    rebinned = operator.apply(patterns(phase, rotations, sigma_px=sigma_px)).astype(float)
    for rotation, polar_pattern, profile, other in zip(rotations, drawn, profiles, rebinned, strict=True):
        assert worst(azimuthal_mean(polar_pattern)[WHOLE], profile[WHOLE]) < 1e-5
        exact = imperfections.polar_pattern(ewald.spots(found, rotation), sigma_px)[CROP]
        assert worst(polar_pattern[CROP], exact) < 5e-3
        assert cosine(polar_pattern[CROP].ravel(), exact.ravel()) > 0.9999
        # Pixels blur by 1/12 px² in each direction, which sharp spots show.
        assert cosine(polar_pattern[CROP].ravel(), other[CROP].ravel()) > (0.996 if sigma_px == 1 else 0.999)
        assert worst(polar_pattern[CROP], other[CROP]) < 0.12 / sigma_px


def test_a_turn_about_the_beam_rolls_the_polar_pattern():
    """Bunge's first angle turns the pattern counter-clockwise, from +x towards +y."""
    angles = np.array([[10.0, 35.0, 50.0], [47.0, 35.0, 50.0], [281.0, 35.0, 50.0]])
    still, turned, far = polar_patterns("gratia_2h", Rotation.from_euler(angles, degrees=True), sigma_px=2.0)[:, WHOLE]
    ways = [worst(turned, np.roll(still, shift, axis=1)) for shift in (37, -37)]
    assert min(ways) < 2e-4
    shift = (37, -37)[int(np.argmin(ways))]
    assert worst(far, np.roll(still, 271 * shift // 37, axis=1)) < 2e-4
    image = patterns("gratia_2h", Rotation.from_euler(angles[:1], degrees=True), sigma_px=2.0)[0]
    y, x = np.unravel_index(np.argmax(image), image.shape)
    ring, sector = np.unravel_index(np.argmax(still), still.shape)
    assert np.degrees(np.arctan2(y - 257, x - 257)) % 360 == pytest.approx(sector + 0.5, abs=2)
    assert np.hypot(x - 257, y - 257) * 0.00588 == pytest.approx(ring * 0.00829, abs=0.02)


DOCUMENT = {
    "n_patterns": 70, "phases": ["pb", "pbi2_2h"], "output": {"polar_px": True, "polar_all": True}, "overlap": {},
    "background_class": True, "spots": {"sigma_px": {"choice": [1.0, 3.0]}},
}  # fmt: skip


def test_samples_are_the_same_in_one_and_two_dimensions_whatever_the_block():
    """Runs with polar patterns are cut at multiples of 32 from their start; other outputs change no byte of them."""
    simulator = Simulator.prepare(make_spec(DOCUMENT))
    whole, part = simulator.block(28, 38, threads=2), simulator.block(33, 36, threads=1)
    plain = Simulator.prepare(make_spec({**DOCUMENT, "output": {}})).block(28, 38)
    only = Simulator.prepare(make_spec({**DOCUMENT, "output": {"polar_px": True}})).block(30, 36)
    for name in ("x_px", "x_all", "polar_px", "polar_all", "fractions", "y"):
        assert getattr(part, name).tobytes() == getattr(whole, name)[5:8].tobytes(), name
    assert only.polar_px.tobytes() == whole.polar_px[2:8].tobytes()
    assert plain.x_all.tobytes() == whole.x_all.tobytes()
    for name, values in plain.draws.items():
        assert values.tobytes() == whole.draws[name].tobytes(), name
    for polar_pattern in (whole.polar_px, whole.polar_all):
        assert np.all(polar_pattern.reshape(10, -1).min(axis=1) == 0)
        assert np.all(polar_pattern.reshape(10, -1).max(axis=1) == 1)
    assert whole.polar_px.shape == (10, 147, 360)
    assert np.all(whole.polar_all[:, PIXELS == 0] == 0)
    assert np.count_nonzero(PIXELS == 0) > 10_000
    np.testing.assert_allclose(whole.azimuth, np.arange(360) + 0.5)


def test_background_class_and_square_root():
    plain = {"background": {"amplitude": 1.0, "decay_angstrom": 2.0}, "background_class": True}
    run = Run.of(plain, 4)
    polar_pattern, profile, q = run.polar_patterns(), run.profiles(), run.simulator.q_all
    smooth = np.exp(-2.0 * q)
    np.testing.assert_allclose(polar_pattern[1, WHOLE], np.broadcast_to(smooth[WHOLE, None], (182, 360)), rtol=1e-5)
    np.testing.assert_allclose(profile[1], smooth, rtol=1e-5)
    rooted = Run.of({**plain, "postprocessing": {"sqrt": True}}, 4)
    np.testing.assert_allclose(rooted.polar_patterns(), np.sqrt(polar_pattern), rtol=1e-5)


def noisy(n: int, **noise) -> tuple[Run, Run]:
    """Return ``n`` signal of one and the same pattern, and one without noise."""
    same = {
        "spots": {"sigma_px": 2.0}, "diffraction": {"relrod_width_per_angstrom": 0.02}, "lattice_scale": 1.0,
        "calibration_scale": 1.0, "orientations": {"kind": "grid", "resolution_deg": 45, "order": "sequential"},
        "background": {"amplitude": 0.3, "decay_angstrom": 2.0},
    }  # fmt: skip
    clean = Run.of(same, 1)
    zones = len(clean.simulator.tables.orientations[0])
    run = Run.of({**same, "noise": noise}, n * zones)
    every = run.draws.patterns[::zones]
    draws = type(run.draws)(every, {name: values[::zones] for name, values in run.draws.values.items()})
    assert np.ptp(draws["orientation"], axis=0).max() == 0
    return Run(run.simulator, draws, run.labels[::zones]), clean


@pytest.mark.parametrize(
    "noise",
    [
        {"dose": 30.0, "snr": 1.0, "intensity_spike": 1.0},
        {"dose": 200.0, "snr": 0.99, "intensity_spike": 3.0},
        {"dose": 1e9, "snr": 0.99, "intensity_spike": 2.0},
    ],
)
def test_an_annulus_of_noisy_cells_counts_as_the_profile_does(noise):
    run, clean = noisy(200, **noise)
    means = azimuthal_mean(run.polar_patterns(full=False).astype(float))
    unit, profile = run.signal().unit[0], clean.profiles()[0]
    assert unit == pytest.approx(clean.signal().unit[0])
    counts = COUNTS[CROP]
    mean, variance = noise_route.theory(profile[CROP], counts, unit=unit, **noise)
    error = np.sqrt(variance / 200)
    assert np.abs((means.mean(axis=0) - mean) / error).max() < 4.5
    assert np.mean((means.mean(axis=0) - mean) / error) == pytest.approx(0, abs=4.5 / np.sqrt(147))
    radial = run.profiles()[:, CROP]
    assert np.abs((radial.mean(axis=0) - mean) / error).max() < 4.5
    if noise["snr"] == 1:
        assert np.mean(means.var(axis=0) / variance) == pytest.approx(1, abs=0.03)
        assert np.mean(means.var(axis=0) / radial.var(axis=0)) == pytest.approx(1, abs=0.05)


def test_cells_count_as_many_electrons_as_they_have_pixels():
    """Value · n · dose / P is a whole number; its variance is its mean."""
    run, clean = noisy(200, dose=50.0, snr=1.0)
    cells = run.polar_patterns(full=False).astype(float) * PIXELS[CROP] * 50.0 / run.signal().unit[0]
    assert np.abs(cells - np.rint(cells)).max() < 1e-2
    expected = clean.polar_patterns(full=False)[0] * PIXELS[CROP] * 50.0 / run.signal().unit[0]
    bright = expected > 2
    assert np.count_nonzero(bright) > 200
    assert np.mean(cells.mean(axis=0)[bright] / expected[bright]) == pytest.approx(1, abs=0.01)
    assert np.mean(cells.var(axis=0)[bright] / expected[bright]) == pytest.approx(1, abs=0.02)


def test_hot_pixels_read_the_spike_and_are_as_many_as_in_the_profile():
    """One that falls into a cell twice counts once, so that hot pixels are half their probability too few."""
    run, clean = noisy(100, dose=1e9, snr=0.99, intensity_spike=50.0)
    excess = (run.polar_patterns(full=False) - clean.polar_patterns(full=False)) * PIXELS[CROP] / run.signal().unit[0]
    per_annulus = excess.sum(axis=(0, 2)) / 50.0
    for bins in (slice(0, 20), slice(20, 60), slice(60, 147)):  # a cell holds 0.4 … 1 pixels, up to 2.3, up to 5.6
        expected = 100 * COUNTS[CROP][bins].sum() * 0.005
        assert per_annulus[bins].sum() == pytest.approx(expected, abs=5 * np.sqrt(expected) + 0.005 * expected)
    hot = excess[:, 140:][excess[:, 140:] > 1]
    assert np.median(hot) == pytest.approx(50.0, rel=0.02)


def test_historical_order_in_two_dimensions():
    """Noise-free: min–max over the polar pattern, then A exp(−τ q) added to every cell with pixels."""
    run = Run.of({"order": "historical", "background": {"amplitude": 0.5, "decay_angstrom": 2.0}}, 2)
    noise_free = Run.of({}, 2).polar_patterns()
    scaled = noise_free / noise_free.max(axis=(1, 2), keepdims=True)
    expected = np.where(PIXELS > 0, scaled + 0.5 * np.exp(-2.0 * run.simulator.q_all)[:, None], 0)
    assert worst(run.polar_patterns()[:, CROP], expected[:, CROP]) < 1e-5
    assert np.all(run.polar_patterns()[:, PIXELS == 0] == 0)
