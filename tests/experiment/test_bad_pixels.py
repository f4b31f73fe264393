"""Dead and hot pixels are found by the scan itself; spots and beam stops are not taken for them."""

import numpy as np
import pytest

from difsims_core.experiment.correct.bad_pixels import find_bad_pixels
from tests.experiment.made_scans import Faults, make_scan


@pytest.fixture(scope="module")
def frames():
    made = make_scan(("pb", "pbi2_2h"), Faults(seed=31, electrons=40_000, jitter_px=0.2))
    background = np.random.default_rng(31).poisson(0.4, made.frames.shape)
    return (made.frames + background).reshape(-1, 160, 160).astype(np.float64)


def found_in(frames: np.ndarray, given: np.ndarray | None = None):
    return find_bad_pixels(frames.mean(axis=0), frames.var(axis=0), len(frames), given)


def test_nothing_is_wrong_with_a_good_detector(frames):
    assert found_in(frames).good.all()


def test_hot_pixels_dead_pixels_and_dead_lines_are_left_out(frames):
    bad = frames.copy()
    wrong = np.zeros((160, 160), bool)
    hot = [(20, 30), (100, 41), (150, 150)]
    for at in hot:
        bad[:, *at] = 4095
        wrong[at] = True
    bad[:, :, 60:62] = 0
    bad[:, 80:, 120] = 0
    bad[:, 79, 76] = 0  # in the beam
    wrong[:, 60:62] = wrong[80:, 120] = True
    wrong[79, 76] = True
    found = found_in(bad)
    assert np.array_equal(found.good, ~wrong)
    assert (found.n_given, found.n_hot, found.n_dead) == (0, 3, wrong.sum() - 3)


def test_what_is_given_is_kept_and_counted_apart(frames):
    given = np.ones((160, 160), bool)
    given[:5] = False
    found = found_in(frames, given)
    assert np.array_equal(found.good, given)
    assert (found.n_given, found.n_dead, found.n_hot) == (5 * 160, 0, 0)
    assert found.share == pytest.approx(5 / 160)


def test_pixels_that_are_not_numbers_do_not_count(frames):
    bad = frames.copy()
    bad[3, 10, 10] = np.nan
    assert np.argwhere(~found_in(bad).good).tolist() == [[10, 10]]


def test_a_beam_stop_is_no_set_of_dead_pixels(frames):
    """What it hides reads 0, but for its corners: which pixels count stays a question for the mask."""
    stopped = frames.copy()
    stopped[:, 40:120, 40:120] = 0
    assert found_in(stopped).n_dead <= 12
