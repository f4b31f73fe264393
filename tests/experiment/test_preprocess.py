"""From a raw scan to profiles and polar patterns, with nothing but the file and the names of the phases."""

import dataclasses

import numpy as np
import pytest

from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.errors import ExperimentError
from difsims_core.experiment.preprocess import preprocess_scan
from difsims_core.signal.grid import RadialGrid
from difsims_core.storage.npz.pattern_flags import BEAM_MODELLED, DEAD, SATURATED, UNCOVERED
from tests.experiment.made_scans import CALIBRATION, Faults, make_scan

PHASES = ("pb", "pbi2_2h")
FAULTS = Faults(seed=41, ellipse=(0.01, -0.008), drift=((2.0, 1.0), (-1.0, 2.0)), jitter_px=0.15, electrons=60_000)
READING = {"calibration_per_angstrom": CALIBRATION}


GIVEN = {"ellipse": FAULTS.ellipse}


def spec(**more):
    return PreprocessingSpec.model_validate({"reading": READING, "phases": PHASES, **more})


@pytest.fixture(scope="module")
def made():
    return make_scan(PHASES, FAULTS)


@pytest.fixture(scope="module")
def stored(made, tmp_path_factory):
    path = tmp_path_factory.mktemp("scan") / "film.npy"
    np.save(path, made.frames)
    return path


@pytest.fixture(scope="module")
def corner(made, tmp_path_factory):
    """The 3 × 3 positions at the beginning of the scan, for what needs few patterns."""
    path = tmp_path_factory.mktemp("corner") / "film.npy"
    np.save(path, made.frames[:3, :3])
    return path


@pytest.fixture(scope="module")
def done(stored):
    return preprocess_scan(stored, spec())


def test_every_fault_is_undone(done, made):
    centres = np.hypot(*(done.centres - made.centres).reshape(-1, 2).T)
    assert np.median(centres) < 0.05
    assert np.hypot(*(np.array(done.prepared.survey.geometry.ellipse) - FAULTS.ellipse)) < 0.003
    assert done.profiles.shape == (8, 8, 147)
    assert done.polar.shape == (8, 8, 74, 72)
    assert not done.flags.any()


def test_profiles_are_those_of_the_undistorted_scan(done, tmp_path):
    """Made again without faults: the cosine of the profiles, their floor taken off."""
    clean = make_scan(PHASES, dataclasses.replace(FAULTS, ellipse=(0.0, 0.0), drift=((0, 0), (0, 0)), jitter_px=0.0))
    np.save(tmp_path / "clean.npy", clean.frames)
    wanted = preprocess_scan(tmp_path / "clean.npy", spec(geometry={"ellipse": [0.0, 0.0]})).profiles
    here, there = (values - np.median(values, axis=-1, keepdims=True) for values in (done.profiles, wanted))
    cosine = (here * there).sum(-1) / np.linalg.norm(here, axis=-1) / np.linalg.norm(there, axis=-1)
    assert np.median(cosine) > 0.98


def test_the_same_scan_gives_the_same_bytes(corner):
    first, again = (preprocess_scan(corner, spec(geometry=GIVEN)) for _ in range(2))
    assert np.array_equal(again.profiles, first.profiles)
    assert np.array_equal(again.polar, first.polar, equal_nan=True)


def test_the_polar_pattern_and_the_profile_agree(done):
    """Means over the azimuth are those of two annuli, but for the areas of cells, which differ by a per cent."""
    areas = np.pi * np.diff(np.square(np.arange(13, 162) - 0.5))
    pairs = (done.profiles[..., :146] * areas[:146]).reshape(8, 8, 73, 2).sum(-1) / areas[:146].reshape(73, 2).sum(-1)
    means = done.polar[..., :73, :].mean(-1)
    cosine = (means * pairs).sum(-1) / np.linalg.norm(means, axis=-1) / np.linalg.norm(pairs, axis=-1)
    assert cosine.min() > 0.9995


def test_a_blank_and_a_dead_pattern_are_flagged_and_no_others(made, tmp_path):
    frames = made.frames[:4, :4].copy()
    frames[3, 1] = 0
    frames[1, 2, 60:100, 60:100] = 0
    path = tmp_path / "film.npy"
    np.save(path, frames)
    found = preprocess_scan(path, spec(geometry=GIVEN))
    assert np.argwhere(found.flags).tolist() == [[1, 2], [3, 1]]
    assert found.flags[3, 1] == DEAD | BEAM_MODELLED
    assert found.flags[1, 2] == BEAM_MODELLED
    assert np.hypot(*(found.centres[1, 2] - made.centres[1, 2])) < 1
    with pytest.raises(ExperimentError) as raised:
        preprocess_scan(path, spec(geometry=GIVEN, beam={"blank": "refuse"}))
    assert "beam.blank" in raised.value.remedy


def test_a_beam_that_saturates_the_detector_is_flagged(made, tmp_path):
    frames = made.frames[:3, :3].copy()
    frames[1, 1] = np.minimum(frames[1, 1], 255)
    path = tmp_path / "film.npy"
    np.save(path, frames)
    found = preprocess_scan(path, spec(geometry=GIVEN))
    assert np.argwhere(found.flags).tolist() == [[1, 1]]
    assert found.flags[1, 1] == SATURATED


def test_a_range_that_the_detector_does_not_see_is_refused_or_flagged(corner):
    short = {"reading": {"calibration_per_angstrom": 0.011}, "geometry": {"ellipse": [0, 0]}}  # 0.87 Å⁻¹ to the edge
    with pytest.raises(ExperimentError) as raised:
        preprocess_scan(corner, spec(**short))
    assert "integration.uncovered" in raised.value.remedy
    flagged = preprocess_scan(corner, spec(**short, integration={"uncovered": "flag"}))
    assert (flagged.flags == UNCOVERED).all()
    assert np.isnan(flagged.profiles[..., -1]).all()
    assert np.isfinite(flagged.profiles[..., 60]).all()


def test_the_whole_range_is_given_on_request(corner):
    crop = preprocess_scan(corner, spec(geometry=GIVEN))
    found = preprocess_scan(corner, spec(geometry=GIVEN, integration={"range": "all", "polar": False}))
    assert found.q == pytest.approx(RadialGrid().q)
    assert found.polar.shape == (3, 3, 0, 72)
    assert found.profiles[..., 13:160] == pytest.approx(crop.profiles, rel=1e-5, abs=1e-5)


def test_without_a_calibration_it_says_how_to_give_one(corner):
    with pytest.raises(ExperimentError) as raised:
        preprocess_scan(corner, PreprocessingSpec(phases=PHASES))
    assert "calibration_per_angstrom" in raised.value.remedy


def test_without_phases_the_ellipse_is_asked_for(corner):
    with pytest.raises(ExperimentError) as raised:
        preprocess_scan(corner, spec(phases=()))
    assert "geometry.ellipse" in raised.value.remedy


def test_dark_and_gain_are_undone(made, corner, tmp_path):
    gain = np.random.default_rng(42).uniform(0.8, 1.25, (160, 160)).astype(np.float32)
    path = tmp_path / "film.npy"
    np.save(path, (made.frames[:3, :3] * gain + 5).astype(np.float32))
    np.save(tmp_path / "gain.npy", gain)
    np.save(tmp_path / "dark.npy", np.full((160, 160), 5.0))
    pixels = {"gain": str(tmp_path / "gain.npy"), "dark": str(tmp_path / "dark.npy")}
    found = preprocess_scan(path, spec(pixels=pixels, geometry=GIVEN))
    wanted = preprocess_scan(corner, spec(geometry=GIVEN))
    assert found.profiles == pytest.approx(wanted.profiles, rel=2e-3, abs=2e-3)


@pytest.mark.parametrize("wrong", ["shape", "numbers", "nothing"])
def test_a_mask_that_does_not_fit_is_refused(corner, tmp_path, wrong):
    masks = {"shape": np.ones((80, 160), bool), "numbers": np.ones((160, 160)), "nothing": np.zeros((160, 160), bool)}
    path = tmp_path / "mask.npy"
    np.save(path, masks[wrong])
    with pytest.raises(ExperimentError) as raised:
        preprocess_scan(corner, spec(pixels={"mask": str(path)}))
    assert "mask.npy" in raised.value.problem


def test_a_scan_of_one_point_is_centred_on_its_own(made, tmp_path):
    path = tmp_path / "point.npy"
    np.save(path, made.frames[:1, :1])
    found = preprocess_scan(path, spec(geometry={"ellipse": [0.01, -0.008]}))
    assert np.hypot(*(found.centres - made.centres[:1, :1]).ravel()) < 0.2
    assert found.profiles.shape == (1, 1, 147)
