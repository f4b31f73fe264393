"""Radial profiles of chosen orientations against images, the exact annulus mean, and diffsims.

See docs/physics.md §2–§5.
"""

import numpy as np
import pytest
from orix.quaternion import Rotation

from difsims_core import radial_profiles
from difsims_core.crystal.phases import load_phase
from tests.effort import cases
from tests.oracles import annulus_route, diffsims_route, ewald, image_route
from tests.oracles.compare import cosine
from tests.oracles.crystals import DEFAULT_PHASES
from tests.oracles.orientations import uniform_orientations
from tests.oracles.structure_factor import reflections

Q_MAX = 1.6  # six standard deviations of the widest spot beyond the crop
SIGMAS_PX = (1.5, 3.0, 5.0)


def assert_agrees_with_images(name: str, rotations: Rotation, sigma_px: float, crop: slice, counts) -> None:
    phase = load_phase(name)
    found = reflections(phase, Q_MAX)
    profiles = radial_profiles(phase, rotations, sigma_px=sigma_px)
    assert profiles.shape == (rotations.size, 256)
    for rotation, profile in zip(rotations, profiles[:, crop], strict=True):
        image = image_route.render(ewald.spots(found, rotation), sigma_px=sigma_px)
        oracle = image_route.radial_mean(image, supersample=image_route.SUPERSAMPLE)[crop]
        assert cosine(profile, oracle) >= 0.999
        assert profile @ counts == pytest.approx(oracle @ counts, rel=1e-3)


@pytest.mark.parametrize("sigma_px", SIGMAS_PX)
@pytest.mark.parametrize("name", DEFAULT_PHASES)
def test_profiles_agree_with_rendered_images(name, sigma_px, crop, counts):
    assert_agrees_with_images(name, uniform_orientations(6, seed=21), sigma_px, crop, counts)


@pytest.mark.slow
@pytest.mark.parametrize("sigma_px", SIGMAS_PX)
@pytest.mark.parametrize("name", DEFAULT_PHASES)
def test_profiles_agree_with_a_hundred_rendered_images(name, sigma_px, crop, counts):
    """A fifth of them at a time."""
    assert_agrees_with_images(name, uniform_orientations(100, seed=22)[list(cases(100))], sigma_px, crop, counts)


@pytest.mark.parametrize("sigma_px", SIGMAS_PX)
@pytest.mark.parametrize("name", [*DEFAULT_PHASES, "pb"])
def test_every_bin_is_the_mean_over_its_annulus(name, sigma_px, crop):
    """Absolute, bin by bin: sampling p(r) at the grid points only would be wrong by 3 % at σ = 1.5 px."""
    phase = load_phase(name)
    rotations = uniform_orientations(8, seed=23)
    found = reflections(phase, Q_MAX)
    profiles = radial_profiles(phase, rotations, sigma_px=sigma_px)[:, crop]
    for rotation, profile in zip(rotations, profiles, strict=True):
        exact = annulus_route.profile(ewald.spots(found, rotation), sigma_px=sigma_px)[crop]
        np.testing.assert_allclose(profile, exact, atol=5e-3 * exact.max())


@pytest.mark.parametrize("name", DEFAULT_PHASES)
def test_intensity_is_conserved_by_the_radial_spread(name):
    """Σ_i p_i · area_i = Σ_j I_j: at every radius, the summed bins hold the volume of the spots within it."""
    phase, sigma_px = load_phase(name), 2.0
    rotations = uniform_orientations(5, seed=24)
    found = reflections(phase, Q_MAX)
    profiles = radial_profiles(phase, rotations, sigma_px=sigma_px)
    areas, edges = image_route.annulus_areas_px(), image_route.annulus_edges_px()
    for rotation, profile in zip(rotations, profiles, strict=True):
        spots = ewald.spots(found, rotation)
        held = np.cumsum(profile * areas)[:160]
        expected = annulus_route.volume_within(edges[1:161], spots, sigma_px, 0.00588)
        np.testing.assert_allclose(held, expected, atol=1e-3 * expected[-1])


@pytest.mark.parametrize("sigma_px", [3.0, 5.0])
@pytest.mark.parametrize("name", DEFAULT_PHASES)
def test_profiles_agree_with_diffsims_at_native_pixels(name, sigma_px, crop):
    phase = load_phase(name)
    rotations = uniform_orientations(4, seed=25)
    profiles = radial_profiles(phase, rotations, sigma_px=sigma_px)[:, crop]
    for rotation, profile in zip(rotations, profiles, strict=True):
        theirs = diffsims_route.profile(phase, rotation, sigma_px=sigma_px)[crop]
        assert cosine(profile, theirs) >= 0.999


@pytest.mark.parametrize("beam_energy_kv", [80, 300])
@pytest.mark.parametrize(("max_excitation_error", "relrod_width"), [(0.01, 0.03), (0.05, 0.01)])
def test_energy_excitation_error_and_relrod_width_mean_what_they_say(
    beam_energy_kv, max_excitation_error, relrod_width, crop
):
    geometry = {
        "beam_energy_kv": beam_energy_kv,
        "max_excitation_error": max_excitation_error,
        "relrod_width": relrod_width,
    }
    assert_exact("pbi2_2h", geometry, crop)


@pytest.mark.parametrize("shape_factor", ["lorentzian", "linear", "sinc", "sin2c", "atanc", "binary"])
def test_shape_factors_are_those_of_diffsims(shape_factor, crop):
    assert_exact("p4mbm_scaled_mixed_halide", {"shape_factor": shape_factor}, crop)


@pytest.mark.parametrize("angle_deg", [0.3, 1.0])
def test_precession_averages_the_lorentzian_over_the_cone(angle_deg, crop):
    """Shape only: diffsims' formula is 2 / w times the average, and its scale is no physical quantity here."""
    phase = load_phase("gratia_2h")
    rotations = uniform_orientations(4, seed=27)
    found = reflections(phase, Q_MAX)
    profiles = radial_profiles(phase, rotations, sigma_px=3.0, precession_angle_deg=angle_deg)[:, crop]
    for rotation, profile in zip(rotations, profiles, strict=True):
        spots = ewald.spots(found, rotation, precession_angle_deg=angle_deg)
        assert cosine(profile, annulus_route.profile(spots, sigma_px=3.0)[crop]) >= 0.9999


@pytest.mark.parametrize(("calibration", "detector_size"), [(0.0065, 515), (0.01, 311)])
def test_calibration_sets_the_spot_size_in_q(calibration, detector_size):
    phase = load_phase("pb")
    rotations = uniform_orientations(4, seed=28)
    found = reflections(phase, 1.8)
    inside = image_route.full_annuli(detector_size, calibration)[:175]
    profiles = radial_profiles(phase, rotations, sigma_px=2.5, calibration=calibration, detector_size=detector_size)[
        :, :175
    ]
    for rotation, profile in zip(rotations, profiles, strict=True):
        exact = annulus_route.profile(ewald.spots(found, rotation), sigma_px=2.5, calibration=calibration)[:175]
        np.testing.assert_allclose(profile[inside], exact[inside], atol=5e-3 * exact.max())


def assert_exact(name: str, geometry: dict, crop: slice) -> None:
    phase = load_phase(name)
    rotations = uniform_orientations(4, seed=26)
    found = reflections(phase, Q_MAX)
    profiles = radial_profiles(phase, rotations, sigma_px=3.0, **geometry)[:, crop]
    for rotation, profile in zip(rotations, profiles, strict=True):
        exact = annulus_route.profile(ewald.spots(found, rotation, **geometry), sigma_px=3.0)[crop]
        np.testing.assert_allclose(profile, exact, atol=5e-3 * exact.max())
