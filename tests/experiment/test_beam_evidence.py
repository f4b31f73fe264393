"""A spot that was taken for the direct beam is told from it; no true beam is called a spot."""

import numpy as np
import pytest

from difsims_core.experiment.correct.beam_evidence import beam_evidence
from difsims_core.experiment.diagnose import checks
from tests.experiment.made_scans import SHAPE, Faults, make_scan
from tests.experiment.test_diagnosis import NO_ELLIPSE, PHASES, diagnosed, verdict_of

FRIEDEL = {"method": "friedel", "centre_px": [79.5, 79.5]}


def lattice(beam_row: int, *, hidden: bool) -> np.ndarray:
    """Return patterns of one crystal, spots 18 px apart about (beam_row, 64); one of them is twice as bright."""
    y, x = np.mgrid[:128, :128]
    rate = np.ones((128, 128))
    for i in range(-3, 9):
        for j in range(-3, 4):
            if hidden and (i, j) == (0, 0):
                continue
            height = 300 * np.exp(-(i * i + j * j) / 6) * (2 if (i, j) == (1, 0) else 1)
            rate += height * np.exp(-((y - beam_row - 18 * i) ** 2 + (x - 64 - 18 * j) ** 2) / 8)
    return np.random.default_rng(61).poisson(rate, (3, 3, 128, 128)).astype(np.uint16)


@pytest.mark.parametrize(("row", "hidden"), [(63, True), (-30, False)])
def test_a_bragg_spot_of_a_single_crystal_is_no_beam(tmp_path, row, hidden):
    frames = lattice(row, hidden=hidden)
    flagged = {"polar": False, "uncovered": "flag"}
    found = diagnosed(tmp_path, frames, calibration=0.025, phases=(), geometry=NO_ELLIPSE, integration=flagged)
    assert abs(found.prepared.survey.drift.at(np.array([[1, 1]]))[0, 0] - row) > 10
    assert verdict_of(found, checks.IDENTITY) == "bad"


def stopped(frames: np.ndarray) -> np.ndarray:
    y, x = np.indices(SHAPE)
    return np.where(np.hypot(y - 80, x - 80) < 9, 0, frames).astype(frames.dtype)


def test_a_spot_beside_a_stop_is_no_beam_and_friedel_pairs_give_it(tmp_path):
    frames = stopped(make_scan(PHASES, Faults(seed=62, electrons=60_000)).frames)
    flagged = {"polar": False, "uncovered": "flag"}
    mistaken = diagnosed(tmp_path, frames, geometry=NO_ELLIPSE, integration=flagged)
    assert verdict_of(mistaken, checks.IDENTITY) == "bad"
    by_pairs = diagnosed(tmp_path, frames, geometry=NO_ELLIPSE, beam=FRIEDEL)
    assert verdict_of(by_pairs, checks.IDENTITY) == "good"


@pytest.mark.parametrize("hides", [True, False])
def test_a_beam_of_which_a_stop_hides_a_part_is_doubtful(tmp_path, hides):
    """Its bright half lies a pixel beside the centre; a stop that ends beside the beam moves nothing."""
    frames = make_scan(PHASES, Faults(seed=62, electrons=60_000)).frames
    y, x = np.indices(SHAPE)
    stop = (x > (79.5 if hides else 86)) & (abs(y - 79.5) < 9)
    found = diagnosed(
        tmp_path, np.where(stop, 0, frames).astype(np.uint16), geometry=NO_ELLIPSE, pixels={"find_bad": False},
        integration={"polar": False, "uncovered": "flag"},
    )  # fmt: skip
    assert verdict_of(found, checks.IDENTITY) == ("doubtful" if hides else "good")
    assert ("hides a part" in found.verdict.of(checks.IDENTITY).sentence) == hides


def test_a_given_place_that_is_no_centre_is_doubtful(tmp_path):
    frames = make_scan(PHASES, Faults(seed=63, electrons=60_000)).frames
    flagged = {"polar": False, "uncovered": "flag"}
    given = {"method": "given", "centre_px": [79.5, 97.5]}
    found = diagnosed(tmp_path, frames, geometry=NO_ELLIPSE, beam=given, integration=flagged)
    assert verdict_of(found, checks.IDENTITY) == "doubtful"


@pytest.mark.parametrize("phase", ["pb", "gratia_2h"])
@pytest.mark.parametrize("seed", [64, 65, 66])
def test_the_beam_of_a_single_tilted_crystal_is_not_called_a_spot(tmp_path, phase, seed):
    frames = make_scan((phase,), Faults(seed=seed, electrons=20_000), scan_shape=(2, 2)).frames
    assert verdict_of(diagnosed(tmp_path, frames, phases=(), geometry=NO_ELLIPSE), checks.IDENTITY) != "bad"


def test_patterns_are_moved_onto_each_other_and_large_ones_binned():
    made = make_scan(PHASES, Faults(seed=67, drift=((20.0, 8.0), (-8.0, 20.0)), electrons=60_000))
    frames, centres = made.frames.reshape(-1, *SHAPE), made.centres.reshape(-1, 2)
    small = beam_evidence(frames, np.ones(SHAPE, bool), centres, 3.8)
    assert small.best_px == pytest.approx(centres.mean(axis=0), abs=1.0)
    assert small.symmetry == small.best_symmetry
    large = np.repeat(np.repeat(frames, 2, axis=1), 2, axis=2)
    binned = beam_evidence(large, np.ones((320, 320), bool), 2 * centres + 0.5, 7.6)
    assert binned.best_px == pytest.approx(2 * centres.mean(axis=0) + 0.5, abs=2.0)
    assert binned.times_brighter == pytest.approx(small.times_brighter, rel=0.1)
