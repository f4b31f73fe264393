"""The public noise-free functions: what they take, and images against profiles (docs/physics.md §§2, 5)."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from orix.quaternion import Rotation

import difsims_core
from difsims_core import excited_spots, patterns, polar_patterns, radial_profiles
from difsims_core.crystal.catalogue import find_crystal
from difsims_core.crystal.phases import load_phase
from difsims_core.errors import InputError
from tests.oracles import ewald, image_route
from tests.oracles.compare import cosine
from tests.oracles.structure_factor import reflections

ROTATIONS = Rotation.from_euler([[10, 40, 70], [200, 15, 3]], degrees=True)


def test_a_phase_may_be_a_name_a_path_or_an_orix_phase():
    expected = radial_profiles("pbi2_2h", ROTATIONS, 200, 0.02)
    assert expected.shape == (2, 256)
    for phase in (find_crystal("pbi2_2h"), load_phase("pbi2_2h")):
        assert np.array_equal(radial_profiles(phase, ROTATIONS), expected)


def test_images_are_those_of_the_oracle():
    images = patterns("gratia_2h", ROTATIONS, sigma_px=2.0, shape=(301, 301))
    assert images.shape == (2, 301, 301)
    found = reflections(load_phase("gratia_2h"), 1.5)
    for image, rotation in zip(images, ROTATIONS, strict=True):
        oracle = image_route.render(ewald.spots(found, rotation), sigma_px=2.0, size=301, supersample=1)
        np.testing.assert_allclose(image, oracle, atol=1e-5 * oracle.max())


def test_images_average_to_the_profiles():
    crop = slice(13, 160)
    images = patterns("p4mbm_scaled_mixed_halide", ROTATIONS, sigma_px=4.0)
    profiles = radial_profiles("p4mbm_scaled_mixed_halide", ROTATIONS, sigma_px=4.0)
    for image, profile in zip(images, profiles, strict=True):
        mean = image_route.radial_mean(image_route.split_pixels(image), supersample=image_route.SUPERSAMPLE)
        assert cosine(mean[crop], profile[crop]) > 0.999


def test_polar_patterns_average_to_the_profiles():
    whole = slice(1, 180)  # annuli that the frame does not cut
    polar = polar_patterns("gratia_2h", ROTATIONS, sigma_px=3.0)
    assert polar.shape == (2, 256, 360)
    profiles = radial_profiles("gratia_2h", ROTATIONS, sigma_px=3.0)
    np.testing.assert_allclose(polar.mean(axis=2)[:, whole], profiles[:, whole], atol=2e-3 * profiles.max())


def test_the_spots_are_those_of_the_oracle():
    spots = excited_spots("pbi2_2h", ROTATIONS, max_excitation_error=0.02, relrod_width=0.02)
    found = reflections(load_phase("pbi2_2h"), 1.5)
    assert spots.hkl.shape == (spots.start[-1], 3)
    assert np.abs(spots.excitation_error).max() <= 0.02
    for i, rotation in enumerate(ROTATIONS):
        mine = slice(spots.start[i], spots.start[i + 1])
        inner = np.hypot(*spots.g[mine].T) < 1.45
        oracle = ewald.spots(found, rotation)
        seen = np.hypot(oracle.gx, oracle.gy) < 1.45
        ours, theirs = (np.sort(values)[-40:] for values in (spots.intensity[mine][inner], oracle.intensity[seen]))
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
        ours = (spots.g[mine][inner].T * spots.intensity[mine][inner]).sum(axis=1)
        theirs = [(g[seen] * oracle.intensity[seen]).sum() for g in (oracle.gx, oracle.gy)]
        np.testing.assert_allclose(ours, theirs, rtol=1e-4)


@pytest.mark.parametrize("function", [radial_profiles, patterns, polar_patterns, excited_spots])
@pytest.mark.parametrize("rotations", [np.zeros((3, 3)), [[0, 0, 0]], None, Rotation([[0, 0, 0, 0]])])
def test_what_is_no_rotation_is_refused(function, rotations):
    with pytest.raises(InputError, match=r"rotation|Rotation"):
        function("pb", rotations)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"beam_energy_kv": 2e5}, "beam_energy_kv"),
        ({"sigma": 3}, r"\bsigma\b"),
        ({"sigma_px": 0}, "sigma_px"),
    ],
)
def test_values_out_of_range_are_named(arguments, words):
    with pytest.raises(InputError, match=words):
        radial_profiles("pb", ROTATIONS, **arguments)


def test_public_names_are_listed_and_load_on_first_use():
    code = (
        "import sys, difsims_core; print('difsims_core.diffraction.noise_free' in sys.modules, 'orix' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False"]
    assert {"polar_patterns", "excited_spots", "patterns", "radial_profiles"} <= set(dir(difsims_core))
    assert all(hasattr(difsims_core, name) for name in difsims_core.__all__)


def test_the_network_is_reached_from_the_package():
    assert callable(difsims_core.learn.networks.build_network)
