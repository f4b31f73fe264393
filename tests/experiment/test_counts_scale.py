"""What an electron reads is found in any units, and a scan is judged by electrons, not by the size of its numbers."""

from __future__ import annotations

import numpy as np
import pytest

from difsims_core.experiment.correct.counts_scale import counts_scale
from difsims_core.experiment.diagnose import checks
from tests.experiment.made_scans import Faults, make_scan
from tests.experiment.test_diagnosis import NO_ELLIPSE, PHASES, diagnosed, verdict_of

GOOD = np.ones((160, 160), bool)
SCALES = (0.01, 0.3, 20.0, 1000.0)


@pytest.fixture(scope="module")
def made():
    return make_scan(PHASES, Faults(seed=61, drift=((2.0, 1.0), (-1.0, 2.0)), electrons=60_000))


@pytest.fixture(scope="module")
def faint():
    return make_scan(PHASES, Faults(seed=62, electrons=150))


@pytest.mark.parametrize("scale", SCALES)
def test_readings_of_an_electron_are_found(made, scale):
    """To 15 %, through spots, beam and bad pixels."""
    frames = made.frames.reshape(-1, 160, 160) * np.float32(scale)
    frames[:, 80, 20], frames[3, 40, 40] = 1e6, np.nan
    assert counts_scale(frames, GOOD) == pytest.approx(scale, rel=0.15)


@pytest.mark.parametrize("mean", [0.05, 1.0, 500.0])
def test_a_sloping_background_of_any_dose_is_counts(mean):
    """A tenth a pixel at its steepest: the slope itself scatters nothing."""
    y, x = np.mgrid[:160, :160]
    rate = mean * np.exp(-np.hypot(y - 80, x - 80) / 40)
    frames = np.random.default_rng(63).poisson(rate, (20, 160, 160)).astype(np.float32)
    assert counts_scale(frames, GOOD) == 1.0
    assert counts_scale(7 * frames, GOOD) == pytest.approx(7, rel=0.15)


def test_whole_numbers_are_no_fractions_of_electrons_and_nothing_tells_nothing():
    smooth = np.full((4, 160, 160), 100, np.uint8)
    smooth[:, ::5] += 1
    assert counts_scale(smooth, GOOD) == 1.0
    assert counts_scale(np.zeros((4, 160, 160), np.float32), GOOD) == 1.0
    assert counts_scale(np.ones((4, 8, 8), np.float32), GOOD[:8, :8]) == 1.0


@pytest.mark.parametrize("scale", [0.01, 1000.0])
def test_a_scan_is_judged_alike_in_any_units(made, faint, tmp_path, scale):
    """Its beams are found, its spots too, and the dose is that of the electrons."""
    given = {"geometry": NO_ELLIPSE}
    found = diagnosed(tmp_path, made.frames * np.float32(scale), **given)
    counted = diagnosed(tmp_path, made.frames, **given)
    assert found.prepared.survey.counts_scale == pytest.approx(scale, rel=0.15)
    assert counted.prepared.survey.counts_scale == 1.0
    assert found.sums.centres == pytest.approx(counted.sums.centres, abs=0.01)
    assert [check.verdict for check in found.verdict.checks] == [check.verdict for check in counted.verdict.checks]
    assert found.verdict.of(checks.DOSE).value == pytest.approx(counted.verdict.of(checks.DOSE).value, rel=0.15)
    assert "An electron reads" in found.verdict.of(checks.DOSE).sentence
    few = diagnosed(tmp_path, faint.frames * np.float32(scale), **given)
    assert verdict_of(few, checks.DOSE) == "bad"


@pytest.mark.parametrize("scale", [0.01, 1000.0])
def test_a_blanked_beam_is_one_in_any_units(made, tmp_path, scale):
    """Thirty electrons are a beam, thirty of other units may be none."""
    frames = made.frames * np.float32(scale)
    frames[::4, ::2, 60:100, 60:100] = 0
    frames[::4, ::2, 80, 80] = 10 * scale
    found = diagnosed(tmp_path, frames, geometry=NO_ELLIPSE)
    assert found.verdict.of(checks.MODELLED).value == pytest.approx(1 / 8)


def test_a_detector_at_its_limit_is_found_in_small_units(made, tmp_path):
    found = diagnosed(tmp_path, np.minimum(made.frames, 255) * np.float32(0.01), geometry=NO_ELLIPSE)
    assert verdict_of(found, checks.SATURATION) == "bad"
