"""Readings below zero, no numbers, missing cells and calibrations in other units: said, and nothing else is lost."""

import numpy as np
import pytest

from difsims_core.errors import ExperimentError
from difsims_core.experiment.diagnose import checks
from difsims_core.experiment.integrate.blocks import DEAD, UNCOVERED
from tests.experiment.made_scans import Faults, make_scan
from tests.experiment.test_diagnosis import NO_ELLIPSE, PHASES, diagnosed, verdict_of


@pytest.fixture(scope="module")
def frames():
    made = make_scan(PHASES, Faults(seed=71, electrons=40_000), scan_shape=(6, 6))
    background = np.random.default_rng(71).poisson(2.0, made.frames.shape)
    return (made.frames + background).astype(np.float32)


@pytest.mark.parametrize("taken_off", [2.0, 2.5, 4.0])
def test_readings_below_zero_cost_no_pixels_but_the_hot_one(tmp_path, frames, taken_off):
    readings = frames - np.float32(taken_off)
    readings[:, :, 20, 30] = 4095
    found = diagnosed(tmp_path, readings, geometry=NO_ELLIPSE)
    assert np.argwhere(~found.prepared.survey.pixels.good).tolist() == [[20, 30]]
    dose = found.verdict.of(checks.DOSE)
    assert dose is not None
    assert ("below zero" in dose.sentence) == (taken_off > 2)


def test_a_dead_pixel_is_found_among_readings_below_zero(tmp_path, frames):
    readings = frames - np.float32(2.0)
    readings[:, :, 79, 79] = -2  # in the beam
    found = diagnosed(tmp_path, readings, geometry=NO_ELLIPSE)
    assert np.argwhere(~found.prepared.survey.pixels.good).tolist() == [[79, 79]]


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_frame_that_is_no_numbers_is_a_dead_pattern_and_no_more(tmp_path, frames):
    readings = frames.copy()
    readings[2, 3] = np.nan
    found = diagnosed(tmp_path, readings, geometry=NO_ELLIPSE)
    assert found.prepared.survey.pixels.good.all()
    assert np.argwhere(found.sums.flags & DEAD).tolist() == [[2, 3]]
    assert verdict_of(found, checks.COVERAGE) == "good"


def test_a_pixel_is_left_out_where_it_is_no_number_in_most_patterns(tmp_path, frames):
    readings = frames.copy()
    rng = np.random.default_rng(72)
    for frame in readings.reshape(-1, 160 * 160):
        frame[rng.choice(160 * 160, 40, replace=False)] = np.nan
    readings[1:, :, 10, 10] = np.inf
    found = diagnosed(tmp_path, readings, geometry=NO_ELLIPSE)
    pixels = found.prepared.survey.pixels
    assert np.argwhere(~pixels.good).tolist() == [[10, 10]]
    assert (pixels.n_given, pixels.n_not_finite) == (0, 1)


def test_patterns_that_lack_polar_cells_are_refused_or_flagged(tmp_path, frames):
    """Half of each annulus is there, as a beam near the edge of the frame leaves it."""
    cut = frames[:2, :2, 72:]
    with pytest.raises(ExperimentError, match="polar cells"):
        diagnosed(tmp_path, cut, geometry=NO_ELLIPSE)
    found = diagnosed(tmp_path, cut, geometry=NO_ELLIPSE, integration={"polar": False, "uncovered": "flag"})
    assert (found.sums.flags & UNCOVERED != 0).all()
    assert verdict_of(found, checks.COVERAGE) == "bad"


@pytest.mark.parametrize("calibration", [1e-6, 1e-4, 5.0])
def test_a_calibration_in_another_unit_is_refused_before_anything_is_made(tmp_path, frames, calibration):
    with pytest.raises(ExperimentError, match="expected 10 to 320 px") as raised:
        diagnosed(tmp_path, frames[:1, :1], calibration=calibration, geometry=NO_ELLIPSE)
    assert "unit" in raised.value.remedy
