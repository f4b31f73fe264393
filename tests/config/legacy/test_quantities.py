"""What was drawn or gone through: relrods that were precession angles, spot sizes, noise, background, removal."""

from __future__ import annotations

import numpy as np
import pytest

from difsims_core.config.documents import make_spec
from difsims_core.diffraction.draws import combinations
from difsims_core.errors import SpecError
from difsims_core.simulation.simulator import simulate
from tests.config.legacy.documents import DROPPED, POINTS, convert, warning

EVERYTHING_THROUGH = {
    "relrod__randomise_relrod": False,
    "sigma__randomise_sigmas": False,
    "noise__add_noise": True,
    "background__add_background_to_simulation": True,
}


def spec_of(conversion):
    (point,) = conversion.sweep.points
    return point.spec


def test_a_relrod_was_a_precession_angle(tmp_path):
    done = convert(tmp_path)
    diffraction = spec_of(done).diffraction
    assert diffraction.precession_angle_deg.choice == (0.02, 0.4, 5.0)
    assert diffraction.relrod_width_per_angstrom.fixed == 0.01
    assert diffraction.max_excitation_error_per_angstrom == 0.01
    assert diffraction.shape_factor == "lorentzian"
    told = warning(done, "relrod_list")
    for part in ("precession angle in degrees", "relrod_width_per_angstrom", "precession_angle_deg: 0"):
        assert part in told


def test_the_default_of_the_largest_excitation_error_is_diffsims(tmp_path):
    from inspect import signature

    from diffsims.generators.library_generator import DiffractionLibraryGenerator

    found = signature(DiffractionLibraryGenerator.get_diffraction_library).parameters["max_excitation_error"].default
    assert found == spec_of(convert(tmp_path)).diffraction.max_excitation_error_per_angstrom


def test_drawn_lists_are_choices(tmp_path):
    done = convert(tmp_path)
    spec = spec_of(done)
    assert not spec.combinations
    assert spec.n_patterns == POINTS * 2
    assert spec.spots.sigma_px.choice == (2, 4)
    assert spec.noise.hot_pixel_probability.choice == (0.05, 0.005)
    assert spec.noise.hot_pixel_intensity.choice == (0, 0.5, 1)
    assert spec.background.model == "exponential"
    assert spec.background.amplitude.choice == (0, 2)
    assert spec.background.decay_angstrom.choice == (0.5, 1.5, 2.5)
    assert spec.noise_model == "historical"


def test_lists_that_were_gone_through_are_combined(tmp_path):
    done = convert(tmp_path, **EVERYTHING_THROUGH)
    spec = spec_of(done)
    assert spec.combinations == (
        "diffraction.precession_angle_deg", "spots.sigma_px",
        "noise.hot_pixel_probability", "noise.hot_pixel_intensity", "background.amplitude", "background.decay_angstrom",
    )  # fmt: skip
    assert spec.n_patterns == POINTS * 2 * (3 * 2) * (2 * 3) * (2 * 3)
    assert "× 216 patterns of each orientation" in warning(done, "n_points")


RELROD, SIGMA = {"relrod__randomise_relrod": False}, {"sigma__randomise_sigmas": False}


@pytest.mark.parametrize(
    ("changes", "keys", "copies"),
    [
        (RELROD, ["diffraction.precession_angle_deg"], 3),
        (SIGMA, ["spots.sigma_px"], 2),
        (RELROD | SIGMA, ["diffraction.precession_angle_deg", "spots.sigma_px"], 3 * 2),
        ({"noise__add_noise": True}, ["noise.hot_pixel_probability", "noise.hot_pixel_intensity"], 2 * 3),
        (SIGMA | {"noise__include_also_non_noisy_simulation": True}, ["spots.sigma_px"], 2 * 2),
    ],
)
def test_some_gone_through_and_some_drawn(tmp_path, changes, keys, copies):
    done = convert(tmp_path, **changes)
    spec = spec_of(done)
    assert list(spec.combinations) == keys
    assert spec.n_patterns == POINTS * 2 * copies
    assert not [item for item in done.findings if "combin" in item.text]


def test_every_orientation_has_all_that_was_gone_through_and_the_rest_is_drawn(tmp_path):
    changes = RELROD | {"noise__add_noise": True, "orientations__use_orix_sampling": False}
    spec = spec_of(convert(tmp_path, orientations__n_points=20, **changes))
    assert list(map(len, combinations(spec).values())) == [3, 2, 3]
    drawn = simulate(spec, 0, spec.n_patterns).draws
    names = ("precession_angle_deg", "snr", "intensity_spike")
    rows = np.stack([drawn[name] for name in names], axis=1).reshape(20, 18, 2, 3)
    for label in range(2):
        assert len(np.unique(drawn["orientation"][label::2], axis=0)) == 20
        for orientation in rows[:, :, label]:
            assert len(np.unique(orientation, axis=0)) == 18
    sigma = drawn["sigma_px"].reshape(20, 18, 2)
    assert 1 < len(np.unique(sigma)) == len(np.unique(sigma[0])) == 2


def test_a_list_of_one_value_decides_nothing(tmp_path):
    changes = {"noise__add_noise": False, "background__add_background_to_simulation": False}
    done = convert(tmp_path, relrod__randomise_relrod=False, sigma__sigma_2d_gaussian_list=[3], **changes)
    spec = spec_of(done)
    assert spec.combinations == ("diffraction.precession_angle_deg",)
    assert spec.spots.sigma_px.fixed == 3
    assert spec.n_patterns == POINTS * 2 * 3


def test_no_noise_and_no_background(tmp_path):
    done = convert(tmp_path, noise__add_noise=False, background__add_background_to_simulation=False)
    spec = spec_of(done)
    assert spec.noise is None
    assert spec.background is None
    assert spec.noise_model == "physical", "the order says nothing where there is neither"


def test_a_clean_copy_of_drawn_noise_is_half_of_the_patterns(tmp_path):
    done = convert(tmp_path, noise__include_also_non_noisy_simulation=True)
    spec = spec_of(done)
    assert spec.noise.hot_pixel_intensity.choice == (0, 0, 0, 0, 0.5, 1)
    assert spec.n_patterns == 2 * POINTS * 2
    assert "half of the values" in warning(done, "include_also_non_noisy_simulation")


@pytest.mark.parametrize(
    ("spikes", "expected", "told"),
    [
        ([0.5, 1], (0, 0.5, 1), "hot_pixel_intensity"),
        ([0, 1], (0, 1), "hot_pixel_intensity"),
    ],
)
def test_a_clean_copy_of_noise_that_is_gone_through(tmp_path, spikes, expected, told):
    changes = EVERYTHING_THROUGH | {"noise__intensity_spikes": spikes}
    done = convert(tmp_path, noise__include_also_non_noisy_simulation=True, **changes)
    spec = spec_of(done)
    assert spec.noise.hot_pixel_intensity.choice == expected
    assert spec.n_patterns == POINTS * 2 * (3 * 2) * (2 * len(expected)) * (2 * 3)
    assert told in warning(done, "include_also_non_noisy_simulation")


@pytest.mark.parametrize(("mode", "clean"), [("random", False), ("random", True), (True, False), (True, True)])
def test_a_spike_of_zero_leaves_a_pattern_free_of_noise(tmp_path, mode, clean):
    changes = {"noise__add_noise": mode, "noise__include_also_non_noisy_simulation": clean}
    plain = {"background__add_background_to_simulation": False, "orientations__use_orix_sampling": False}
    spec = spec_of(convert(tmp_path, **changes, **plain))
    noisy = simulate(spec, 0, 120)
    assert noisy.draws["dose"].tolist() == [1.0] * 120, "not used"
    kept = {**spec.to_document(), "noise": None, "noise_model": "physical", "combinations": False}
    spared = noisy.draws["intensity_spike"] == 0
    assert 20 < spared.sum() < 100
    if not spec.combinations:  # the same draws but for the noise
        without = simulate(make_spec(kept), 0, 120)
        same = np.array_equal(noisy.x_px[spared], without.x_px[spared])
        assert same
        assert not (noisy.x_px[~spared] == without.x_px[~spared]).all(axis=1).any()


def test_a_copy_without_background(tmp_path):
    done = convert(tmp_path, background__include_also_non_bkg_simulation=True)
    assert spec_of(done).background.amplitude.choice == (0, 0, 0, 2)
    assert spec_of(done).n_patterns == 2 * POINTS * 2
    assert "half of the values" in warning(done, "include_also_non_bkg_simulation")


def test_before_it_had_a_switch_the_one_of_the_noise_decided(tmp_path):
    changes = {"background__include_also_non_bkg_simulation": DROPPED, "noise__add_noise": False}
    done = convert(tmp_path, noise__include_also_non_noisy_simulation=True, **changes)
    assert spec_of(done).background.amplitude.choice == (0, 0, 0, 2)


def test_going_through_backgrounds_kept_one_without(tmp_path):
    done = convert(tmp_path, background__a_vals=[1, 2], **EVERYTHING_THROUGH)
    assert spec_of(done).background.amplitude.choice == (0, 1, 2)
    assert "were lost" in warning(done, "a_vals")


def test_profiles_with_a_background_are_normalised_otherwise(tmp_path):
    assert "min–max" in warning(convert(tmp_path), "background_parameters")
    without = convert(tmp_path, background__add_background_to_simulation=False)
    assert warning(without, "background_parameters") == ""


@pytest.mark.parametrize(
    ("name", "value", "there"),
    [
        ("add_background_to_1d", "random", True),
        ("add_background_to_1d", False, False),
        ("add_background_to", "1d", True),
        ("add_background_to", "none", False),
    ],
)
def test_every_name_of_the_switch_of_the_background(tmp_path, name, value, there):
    changes = {f"background__{name}": value, "background__add_background_to_simulation": DROPPED}
    assert (spec_of(convert(tmp_path, **changes)).background is not None) is there


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (8, "uniform")),
        ({"removal__num_peaks_to_remove": 3}, (8, 3)),
        ({"removal__num_peaks_to_remove": 12}, (8, 8)),
        ({"removal__n_intensity_peaks": 200}, (64, "uniform")),
    ],
)
def test_removal_of_spots(tmp_path, changes, expected):
    done = convert(tmp_path, **changes)
    removal = spec_of(done).spots.removal
    assert (removal.among, removal.count) == expected
    assert bool(warning(done, "n_intensity_peaks")) is (expected[0] == 64)


def test_no_removal(tmp_path):
    assert spec_of(convert(tmp_path, removal__remove_peaks_from_diffraction_library=False)).spots.removal is None


def test_the_direct_beam_needs_a_look(tmp_path):
    assert spec_of(convert(tmp_path)).spots.direct_beam is None
    done = convert(tmp_path, augmentation__simulated_direct_beam_bool=True)
    assert spec_of(done).spots.direct_beam.fixed == 10
    assert "|F(000)|²" in warning(done, "simulated_direct_beam_bool")


def test_the_direct_beam_once_stood_at_the_top(tmp_path):
    changes = {"top__simulated_direct_beam_bool": True, "augmentation__simulated_direct_beam_bool": DROPPED}
    assert spec_of(convert(tmp_path, **changes)).spots.direct_beam is not None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"relrod__relrod_list": ["1. 2."]},
            ("relrod_parameters.relrod_list", "'1. 2.'"),
        ),
        ({"relrod__relrod_list": []}, ("relrod_list",)),
        ({"relrod__randomise_relrod": 3}, ("randomise_relrod", "3")),
        ({"noise__add_noise": "often"}, ("add_noise", "'random'", "'often'")),
        ({"noise__snrs": DROPPED}, ("snrs", "intensity_spikes")),
        ({"background__tau_vals": DROPPED}, ("a_vals", "tau_vals")),
        ({"removal__num_peaks_to_remove": "many"}, ("num_peaks_to_remove", "'random'", "many")),
        ({"removal__n_intensity_peaks": 0}, ("n_intensity_peaks", "0")),
        ({"noise__snrs": [90]}, ("noise.hot_pixel_probability", "-44.5")),
        ({"sigma__sigma_2d_gaussian_list": [True]}, ("sigma_2d_gaussian_list", "True")),
    ],
)
def test_values_without_meaning_are_refused_in_one_line(tmp_path, changes, expected):
    with pytest.raises(SpecError) as caught:
        convert(tmp_path, **changes)
    for part in (*expected, str(tmp_path / "old.json")):
        assert part in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
