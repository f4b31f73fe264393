"""The ellipse and the calibration of a scan, from the spots of all its patterns."""

import numpy as np
import pytest

from difsims_core.crystal.phases import load_phase
from difsims_core.crystal.reflections import reflection_list
from difsims_core.errors import ExperimentError, InputError
from difsims_core.experiment.correct.fit_geometry import fit_geometry
from difsims_core.experiment.correct.friedel import friedel_centres
from difsims_core.experiment.correct.geometry import Geometry
from difsims_core.experiment.correct.phase_lines import phase_lines
from difsims_core.experiment.correct.scan_spots import ScanSpots, find_scan_spots
from tests.experiment.made_scans import CALIBRATION, Faults, MadeScan, make_scan

PHASES = ("pb", "pbi2_2h", "gratia_2h")
GOOD = np.ones((160, 160), bool)


def spots_of(made: MadeScan) -> ScanSpots:
    frames = made.frames.reshape(-1, 160, 160)
    at = np.stack(np.divmod(np.arange(len(frames)), made.frames.shape[1]), axis=1)
    return find_scan_spots(frames, GOOD, made.centres.reshape(-1, 2), 3.0, at)


@pytest.fixture(scope="module")
def lines():
    return phase_lines([reflection_list(load_phase(name), 1.6) for name in PHASES])


@pytest.mark.parametrize("ellipse", [(0.0, 0.0), (0.012, -0.009), (-0.004, 0.024)])
def test_the_ellipse_of_a_scan_is_found_from_its_spots(lines, ellipse):
    made = make_scan(PHASES, Faults(seed=21, ellipse=ellipse, electrons=20_000), scan_shape=(10, 10))
    fit = fit_geometry(spots_of(made), lines, CALIBRATION)
    found = np.array(fit.geometry.ellipse)
    assert np.hypot(*(found - ellipse)) < 0.003
    assert np.hypot(*(found - ellipse)) < 4 * fit.geometry.ellipse_error + 5e-4
    assert fit.gain > 0.1
    assert fit.geometry.calibration_per_angstrom == CALIBRATION


def test_a_wrong_calibration_is_refined_and_knows_its_error(lines):
    made = make_scan(PHASES, Faults(seed=22, ellipse=(0.01, 0.0), electrons=20_000), scan_shape=(10, 10))
    fit = fit_geometry(spots_of(made), lines, CALIBRATION * 1.01, refine_calibration=True)
    ratio = fit.geometry.calibration_per_angstrom / CALIBRATION
    assert abs(ratio - 1) < 0.004
    assert abs(ratio - 1) < 4 * fit.geometry.calibration_error


def test_a_refined_calibration_is_not_drawn_towards_the_one_it_began_with(lines):
    spots = spots_of(make_scan(PHASES, Faults(seed=22, electrons=3000), scan_shape=(10, 10)))
    found = [
        fit_geometry(spots, lines, CALIBRATION * wrong, refine_calibration=True).geometry.calibration_per_angstrom
        for wrong in (0.985, 1.0, 1.015)
    ]
    assert np.ptp(found) < 0.0015 * CALIBRATION


def test_phases_that_are_not_there_explain_less():
    made = make_scan(("pb",), Faults(seed=23, electrons=20_000), scan_shape=(10, 10))
    spots = spots_of(made)
    gain = {}
    for name in ("pb", "gratia_2h"):
        gain[name] = fit_geometry(spots, phase_lines([reflection_list(load_phase(name), 1.6)]), CALIBRATION).gain
    assert gain["pb"] > gain["gratia_2h"] + 0.3


def test_a_scan_with_few_spots_says_how_else(lines):
    empty = ScanSpots(np.zeros((5, 2)), np.ones(5), np.array([0, 5]), np.zeros((1, 2), np.int64))
    with pytest.raises(ExperimentError) as raised:
        fit_geometry(empty, lines, CALIBRATION)
    assert "geometry.ellipse" in raised.value.remedy


def test_friedel_pairs_give_the_centre_without_a_beam():
    made = make_scan(
        ("pb", "pbi2_2h"), Faults(seed=24, electrons=60_000, beam_share=0.0, drift=((3.0, 0.0), (0.0, 2.0)))
    )
    frames = made.frames.reshape(-1, 160, 160)
    at = np.stack(np.divmod(np.arange(64), 8), axis=1)
    start = (79.5, 79.5)
    spots = find_scan_spots(frames, GOOD, np.tile(start, (64, 1)), 3.0, at)
    found = friedel_centres(spots, start)
    error = np.hypot(*(found - made.centres.reshape(-1, 2)).T)
    assert np.isfinite(error).mean() > 0.5
    assert np.nanmedian(error) < 0.4


def test_undistort_undoes_the_distortion():
    a, b = 0.03, -0.02
    assert Geometry(0.01, (a, b)).undistort @ np.array([[1 + a, b], [b, 1 - a]]) == pytest.approx(np.eye(2))


@pytest.mark.parametrize("wrong", [(0.0,), (float("nan"),), (0.01, (0.3, 0.0))])
def test_impossible_geometries_are_refused(wrong):
    with pytest.raises(InputError):
        Geometry(*wrong)
