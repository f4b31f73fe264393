"""The direct beam is found by the outline of its disc; the drift says where it must be."""

import math

import numpy as np
import pytest

from difsims_core.errors import ExperimentError
from difsims_core.experiment.correct.direct_beam import find_beam
from difsims_core.experiment.correct.drift import fit_drift
from tests.experiment.made_scans import Faults, make_scan

PHASES = ("pb", "pbi2_2h")
GOOD = np.ones((160, 160), bool)


def measured(faults: Faults, good: np.ndarray = GOOD) -> tuple[np.ndarray, np.ndarray]:
    made = make_scan(PHASES, faults)
    frames = made.frames.reshape(-1, *made.frames.shape[2:]).copy()
    frames[:, ~good] = 4095
    return find_beam(frames.mean(axis=0), good).measure(frames, good).yx_px, made.centres.reshape(-1, 2)


@pytest.mark.parametrize("electrons", [4_000, 40_000])
@pytest.mark.parametrize("disc", [1.8, 3.0, 5.0])
def test_centres_are_good_to_a_twentieth_of_a_pixel(electrons, disc):
    faults = Faults(seed=7, electrons=electrons, disc_px=disc, drift=((2.0, 1.0), (-1.0, 3.0)), jitter_px=0.2)
    found, true = measured(faults)
    error = np.hypot(*(found - true).T)
    allowed = 0.04 + 1.6 * disc / 2 / math.sqrt(electrons / 2)  # pixels, and counting: σ of the disc over √counts
    assert np.median(error) < allowed
    assert np.percentile(error, 95) < 2.4 * allowed


def test_an_unevenly_lit_disc_moves_its_centre_of_mass_and_not_its_outline():
    faults = Faults(seed=8, electrons=40_000, disc_px=4.0, texture=0.6)
    found, true = measured(faults)
    by_mass = 0.6 * 4.0 / 4  # the centre of mass of a disc whose brightness rises by ±60 % across
    assert np.percentile(np.hypot(*(found - true).T), 95) < 0.4 * by_mass


def test_bad_pixels_in_the_disc_are_bridged():
    good = GOOD.copy()
    good[:, 80:82] = False
    good[78, 77] = False
    found, true = measured(Faults(seed=9, electrons=40_000, disc_px=4.0, jitter_px=0.5), good)
    assert np.median(np.hypot(*(found - true).T)) < 0.15


def test_a_blank_pattern_has_no_centre():
    made = make_scan(PHASES, Faults(seed=10), scan_shape=(2, 2))
    frames = made.frames.reshape(-1, 160, 160).copy()
    finder = find_beam(frames.mean(axis=0), GOOD)
    frames[1] = 0
    found = finder.measure(frames, GOOD)
    assert np.isnan(found.yx_px[1]).all()
    assert np.isfinite(found.yx_px[[0, 2, 3]]).all()


@pytest.mark.parametrize("kind", ["nothing", "edge"])
def test_a_scan_without_a_beam_inside_says_how_to_give_it(kind):
    mean = np.full((160, 160), 3.0)
    if kind == "edge":
        mean[0:6, 70:80] = 1000.0
    with pytest.raises(ExperimentError) as raised:
        find_beam(mean, GOOD)
    assert "beam.centre_px" in raised.value.remedy


def positions(ny: int, nx: int) -> np.ndarray:
    return np.stack(np.divmod(np.arange(ny * nx), nx), axis=1)


@pytest.mark.parametrize("kind", ["constant", "plane", "parabola", "spline"])
def test_the_drift_is_followed_whatever_a_tenth_of_the_beams_says(kind):
    rng = np.random.default_rng(11)
    at = positions(16, 20)
    y, x = (2 * at / [15, 19] - 1).T
    parts = {
        "constant": np.zeros_like(x),
        "plane": 2 * y - 1.5 * x,
        "parabola": 2 * y - 1.5 * x + 3 * x * x - 2 * x * y,
        "spline": 2 * np.sin(3 * x) * np.cos(2 * y),
    }
    true = 80 + np.stack([parts[kind], -parts[kind]], axis=1)
    centres = true + rng.normal(0, 0.05, true.shape)
    wrong = rng.choice(len(at), len(at) // 10, replace=False)
    centres[wrong] += rng.normal(0, 20, (len(wrong), 2))
    centres[::17] = np.nan
    drift = fit_drift(at, centres, (16, 20))
    assert drift.kind == kind
    assert np.abs(drift.at(at) - true).max() < 0.15
    assert drift.residual_px == pytest.approx(0.05, rel=0.5)


def test_a_scan_of_one_point_drifts_nowhere():
    drift = fit_drift(np.array([[0, 0]]), np.array([[81.25, 79.5]]), (1, 1))
    assert drift.kind == "constant"
    assert drift.at(np.array([[0, 0]])) == pytest.approx(np.array([[81.25, 79.5]]))


def test_no_beam_in_any_pattern_is_an_error():
    with pytest.raises(ExperimentError, match="in none of the patterns") as raised:
        fit_drift(positions(2, 2), np.full((4, 2), np.nan), (2, 2), "look again")
    assert raised.value.remedy == "look again"
