"""Detector images of a document: the same patterns as its profiles, pixel by pixel (docs/physics.md §§5–7)."""

import numpy as np
import pytest
from orix.quaternion import Rotation

from difsims_core.diffraction.noise_free import patterns
from tests.oracles import image_route, imperfections
from tests.oracles.compare import cosine
from tests.oracles.integrate import PolarOperator
from tests.physics.runs import CROP, Run, worst

PHASES = {"phases": ["pb", "gratia_2h"]}


def q_of_pixels() -> np.ndarray:
    x = image_route.pixel_centres(515)
    return np.hypot(x[:, None], x[None, :]) * 0.00588


def test_images_are_the_patterns_of_the_drawn_conditions():
    run = Run.of({**PHASES, "spots": {"sigma_px": 2.0}, "calibration_scale": {"uniform": [0.98, 1.02]}}, 4)
    images, draws = run.simulator.images(0, 4, noise=False), run.draws
    assert np.array_equal(images, run.images())
    for i, image in enumerate(images):
        same = patterns(
            run.spec.phases[run.labels[i]].name,
            Rotation(draws["orientation"][i].astype(float)),
            max_excitation_error=0.03,
            relrod_width=float(draws["relrod_width_per_angstrom"][i]),
            sigma_px=2.0,
            calibration=0.00588 * float(draws["calibration_scale"][i]),
            lattice_scale=float(draws["lattice_scale"][i]),
        )[0]
        assert worst(image, same) < 2e-5
        spots = imperfections.drawn_spots(run.spec, draws, i, q_max=2.4)
        assert worst(image, image_route.render(spots, sigma_px=2.0, supersample=1)) < 2e-5


def test_images_hold_the_backgrounds_of_the_profile():
    """Relative to the maximum of the noise-free profile, not of the image."""
    run = Run.of({**PHASES, "background": {}, "amorphous_ring": {}, "inelastic": {}}, 2)
    clean, draws, q = Run.of(PHASES, 2), run.draws, q_of_pixels()
    height = clean.profiles().max(axis=1)
    for i, (image, spots) in enumerate(zip(run.images(), clean.images(), strict=True)):
        ground = draws["background_amplitude"][i] * np.exp(-draws["background_decay_angstrom"][i] * q)
        offset = q - draws["ring_position_per_angstrom"][i]
        ground += draws["ring_amplitude"][i] * np.exp(-(offset**2) / (2 * draws["ring_width_per_angstrom"][i] ** 2))
        ground += draws["inelastic_amplitude"][i] * imperfections.lenz(q, draws["screening_per_angstrom"][i], 20, 200)
        away = q > 0.02
        assert np.abs(image - spots - height[i] * ground)[away].max() < 1e-3 * image[away].max()


def test_integrating_an_image_gives_the_profile_and_the_polar_pattern():
    everything = {
        **PHASES, "spots": {"sigma_px": {"choice": [2.0, 3.0]}, "removal": {}}, "background": {}, "distortion": {},
        "overlap": {"probability": 1.0}, "amorphous_ring": {}, "intensities": {"model": "random"},
    }  # fmt: skip
    run = Run.of(everything, 4)
    polar_patterns, profiles = run.polar_patterns(), run.profiles()
    operator = PolarOperator((515, 515), 0.00588)
    rebinned = operator.apply(run.images())
    for polar_pattern, other, profile in zip(polar_patterns, rebinned, profiles, strict=True):
        mean = (other * operator.pixels).sum(axis=1) / operator.pixels.sum(axis=1)
        assert cosine(mean[CROP], profile[CROP]) > 0.9999
        assert cosine(other[CROP].ravel(), polar_pattern[CROP].ravel()) > 0.999
        assert worst(mean[CROP], profile[CROP]) < 0.03


@pytest.mark.parametrize("noise", [{"dose": 40.0, "snr": 1.0}, {"dose": 300.0, "snr": 0.98, "intensity_spike": 2.0}])
def test_pixels_count_on_their_own(noise):
    run = Run.of({**PHASES, "spots": {"sigma_px": 3.0}, "noise": noise, "background": {"amplitude": 1.0}}, 2)
    noisy, clean = run.simulator.images(0, 2), run.simulator.images(0, 2, noise=False)
    assert np.array_equal(run.simulator.images(1, 2)[0], noisy[1])
    unit, hot = run.signal().unit, (1 - noise["snr"]) / 2
    for image, mean, one in zip(noisy.astype(float), clean.astype(float), unit, strict=True):
        counts, expected = image * noise["dose"] / one, mean * noise["dose"] / one
        left = np.ones(image.shape, bool)
        if hot:
            spiked = np.isclose(image, noise["intensity_spike"] * one, rtol=1e-6)
            n = np.count_nonzero(spiked)
            assert n == pytest.approx(image.size * hot, abs=5 * np.sqrt(image.size * hot))
            left = ~spiked
        assert np.abs(counts - np.rint(counts))[left].max() < 1e-2
        z = (counts - expected)[left] / np.sqrt(np.maximum(expected[left], 0.5))
        assert z.mean() == pytest.approx(0, abs=0.01)
        bright = left & (expected > 0.5)
        scatter = (counts - expected)[bright] ** 2 / expected[bright]
        assert scatter.mean() == pytest.approx(1, abs=5 * scatter.std() / np.sqrt(scatter.size))
