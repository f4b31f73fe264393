"""Calibration and ellipse from the rings of a standard, and scans that take them from there."""

from __future__ import annotations

import math

import numpy as np
import pytest

from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import ExperimentError
from difsims_core.experiment.correct.standard import StandardFit, calibrate
from difsims_core.experiment.diagnose import checks
from difsims_core.experiment.prepare import prepare_scan
from tests.experiment.made_scans import CALIBRATION, Faults, make_powder, make_scan
from tests.experiment.test_diagnosis import diagnosed

ELLIPSE = (0.01, -0.008)


def stored(folder, frame: np.ndarray) -> str:
    path = folder / "standard.npy"
    np.save(path, frame[None, None])
    return str(path)


def roughly(factor: float) -> ReadingSpec:
    return ReadingSpec(calibration_per_angstrom=CALIBRATION * factor)


def assert_right(found: StandardFit, ellipse: tuple[float, float]) -> None:
    geometry = found.geometry
    off = geometry.calibration_per_angstrom / CALIBRATION - 1
    away = math.dist(geometry.ellipse, ellipse)
    assert abs(off) < 0.003
    assert abs(off) < 3 * geometry.calibration_error
    assert away < 0.003
    assert away < 3 * math.sqrt(2) * geometry.ellipse_error + 5e-4  # of both components; and of the sectors' width
    assert found.n_rings >= 4


@pytest.mark.parametrize(
    ("seed", "ellipse", "disc", "electrons", "n_spots"),
    [
        (61, (0.0, 0.0), 2.0, 2e6, 4000),
        (62, (0.012, -0.009), 2.0, 2e6, 4000),
        (63, (-0.004, 0.024), 1.5, 2e6, 3000),
        (64, (0.01, 0.01), 2.0, 2e6, 500),  # spotty rings
        (65, (0.02, 0.015), 2.0, 1e5, 2000),
    ],
)
def test_the_rings_of_lead_give_calibration_and_ellipse(tmp_path, seed, ellipse, disc, electrons, n_spots):
    faults = Faults(seed=seed, ellipse=ellipse, disc_px=disc, electrons=electrons)
    path = stored(tmp_path, make_powder("pb", faults, n_spots=n_spots))
    assert_right(calibrate(path, "pb"), ellipse)


@pytest.mark.parametrize("factor", [0.93, 1.07])
def test_a_calibration_of_the_file_need_not_be_good(tmp_path, factor):
    path = stored(tmp_path, make_powder("pb", Faults(seed=66, ellipse=ELLIPSE, disc_px=2.0, electrons=1e6)))
    assert_right(calibrate(path, "pb", roughly(factor)), ELLIPSE)


def test_a_hidden_beam_is_found_from_the_rings(tmp_path):
    frame = make_powder("pb", Faults(seed=67, ellipse=ELLIPSE, disc_px=2.0, electrons=1e6))
    frame[74:87, 72:86] = 0
    found = calibrate(stored(tmp_path, frame), "pb", centre_px=(79.5, 79.5))
    assert_right(found, ELLIPSE)
    assert math.dist(found.centre_px, (80.3, 78.9)) < 0.1


def test_a_scan_of_many_grains_is_a_standard_too(tmp_path):
    frames = np.stack(
        [make_powder("pb", Faults(seed=seed, disc_px=2.0, electrons=1e5), n_spots=150) for seed in range(16)]
    )
    path = tmp_path / "standard.npy"
    np.save(path, frames.reshape(4, 4, *frames.shape[1:]))
    assert_right(calibrate(path, "pb", roughly(1.02)), (0.0, 0.0))


@pytest.mark.parametrize("wrong", ["another phase", "single spots", "nothing but a beam"])
def test_what_is_not_this_standard_is_refused(tmp_path, wrong):
    if wrong == "another phase":
        frame = make_powder("pbi2_2h", Faults(seed=68, disc_px=2.0, electrons=1e6))
    elif wrong == "single spots":
        frame = make_scan(("pb",), Faults(seed=69, electrons=60_000)).frames[0, 0]
    else:
        frame = make_powder("pb", Faults(seed=70, disc_px=2.0), n_spots=1)
    with pytest.raises(ExperimentError) as raised:
        calibrate(stored(tmp_path, frame), "pb", roughly(1.0))
    assert "standard.npy" in raised.value.problem
    assert raised.value.remedy


def test_a_document_names_a_standard_whose_geometry_is_taken(tmp_path):
    standard = stored(tmp_path, make_powder("pb", Faults(seed=71, ellipse=ELLIPSE, disc_px=2.0, electrons=1e6)))
    film = make_scan(("pb", "pbi2_2h"), Faults(seed=72, ellipse=ELLIPSE, electrons=60_000), scan_shape=(4, 6))
    path = tmp_path / "film.npy"
    np.save(path, film.frames)
    document = {"phases": ["pb", "pbi2_2h"], "geometry": {"standard": {"location": standard, "phase": "pb"}}}
    geometry = prepare_scan(path, PreprocessingSpec.model_validate(document)).survey.geometry
    assert geometry.calibration_per_angstrom == pytest.approx(CALIBRATION, rel=0.003)
    assert 0 < geometry.calibration_error < 0.002
    assert math.dist(geometry.ellipse, ELLIPSE) < 0.003
    found = diagnosed(tmp_path, film.frames, geometry=document["geometry"])
    assert {found.verdict.of(name).verdict for name in (checks.ELLIPSE, checks.CALIBRATION)} == {"good"}


def test_an_ellipse_that_was_given_wins_and_is_compared_with_the_spots(tmp_path):
    film = make_scan(("pb", "pbi2_2h"), Faults(seed=73, ellipse=(0.02, 0.0), electrons=60_000), scan_shape=(6, 6))
    right, wrong = (
        diagnosed(tmp_path, film.frames, geometry={"ellipse": ellipse}) for ellipse in ([0.02, 0.0], [0.0, 0.0])
    )
    assert wrong.prepared.survey.geometry.ellipse == (0.0, 0.0)
    assert right.verdict.of(checks.ELLIPSE).verdict == "good"
    assert wrong.verdict.of(checks.ELLIPSE).verdict == "bad"
