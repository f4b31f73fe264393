"""Each check of a scan says good where nothing is wrong, and bad where its fault was made."""

from __future__ import annotations

import numpy as np
import pytest

from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.evaluate.raw_scans.verdict import ScanVerdict
from difsims_core.experiment.diagnose import checks
from difsims_core.experiment.diagnose.diagnosis import Diagnosis, diagnose, spot_radii
from difsims_core.experiment.diagnose.sums import ScanSums
from difsims_core.experiment.integrate.blocks import integrated_blocks
from difsims_core.experiment.prepare import prepare_scan
from difsims_core.experiment.preprocess import preprocess_scan
from tests.experiment.made_scans import CALIBRATION, Faults, make_scan

PHASES = ("pb", "pbi2_2h")
FAULTS = Faults(seed=51, ellipse=(0.01, -0.008), drift=((2.0, 1.0), (-1.0, 2.0)), jitter_px=0.1, electrons=60_000)
NO_ELLIPSE = {"ellipse": [0.0, 0.0]}


def diagnosed(folder, frames: np.ndarray, *, calibration: float = CALIBRATION, **spec) -> Diagnosis:
    path = folder / "film.npy"
    np.save(path, frames)
    document = {"reading": {"calibration_per_angstrom": calibration}, "phases": PHASES, "integration": {"polar": False}}
    prepared = prepare_scan(path, PreprocessingSpec.model_validate({**document, **spec}))
    sums = ScanSums(prepared)
    for block, patterns in integrated_blocks(prepared):
        sums.add(block, patterns)
    return diagnose(prepared, sums)


def verdict_of(diagnosis: Diagnosis, name: str) -> str:
    check = diagnosis.verdict.of(name)
    assert check is not None
    return check.verdict


@pytest.fixture(scope="module")
def made():
    return make_scan(PHASES, FAULTS)


@pytest.fixture(scope="module")
def sound(made, tmp_path_factory):
    return diagnosed(tmp_path_factory.mktemp("scan"), made.frames)


@pytest.mark.parametrize("name", [
    checks.CENTRE, checks.MODELLED, checks.SATURATION, checks.ELLIPSE, checks.AGREEMENT, checks.CALIBRATION,
    checks.DOSE, checks.BAD_PIXELS, checks.DEAD_PATTERNS, checks.COVERAGE,
])  # fmt: skip
def test_a_sound_scan_is_good_in_every_respect(sound, name):
    assert verdict_of(sound, name) == "good"
    assert sound.verdict.overall == "good"


def test_beams_that_jump_leave_a_bad_residual(tmp_path):
    jumping = make_scan(PHASES, Faults(seed=52, jitter_px=1.2))
    found = diagnosed(tmp_path, jumping.frames, geometry=NO_ELLIPSE)
    assert verdict_of(found, checks.CENTRE) == "bad"
    assert found.verdict.overall == "bad"


def test_blanked_beams_are_placed_by_the_drift_which_is_bad_where_they_are_many(made, tmp_path):
    frames = made.frames.copy()
    frames[::4, ::2, 60:100, 60:100] = 0  # an eighth
    found = diagnosed(tmp_path, frames, geometry=NO_ELLIPSE)
    assert verdict_of(found, checks.MODELLED) == "bad"
    assert verdict_of(found, checks.DEAD_PATTERNS) == "good"


def test_a_detector_at_its_limit_is_bad(made, tmp_path):
    found = diagnosed(tmp_path, np.minimum(made.frames, 255), geometry=NO_ELLIPSE)
    assert verdict_of(found, checks.SATURATION) == "bad"


def test_an_ellipse_from_a_single_grain_with_many_lines_is_not_known(tmp_path):
    one = make_scan(("gratia_2h",), Faults(seed=54, electrons=20_000), scan_shape=(2, 2))
    found = diagnosed(tmp_path, one.frames, phases=("gratia_2h",))
    assert found.prepared.survey.geometry.ellipticity > 0.01  # far off, and known to be
    assert verdict_of(found, checks.ELLIPSE) == "bad"


def test_phases_that_are_not_there_do_not_agree(tmp_path):
    iodide = make_scan(("pbi2_2h",), Faults(seed=56, electrons=20_000), scan_shape=(4, 8))
    found = diagnosed(tmp_path, iodide.frames, phases=("pb",))
    assert verdict_of(found, checks.AGREEMENT) == "bad"


@pytest.mark.parametrize("factor", [0.975, 1.025])
def test_a_wrong_calibration_is_bad_and_good_once_it_is_refined(made, tmp_path, factor):
    given = {"calibration": CALIBRATION * factor, "integration": {"polar": False, "uncovered": "flag"}}
    assert verdict_of(diagnosed(tmp_path, made.frames, **given), checks.CALIBRATION) == "bad"


def test_a_calibration_that_is_a_little_off_is_good_once_it_is_refined(made, tmp_path):
    refined = diagnosed(tmp_path, made.frames, calibration=CALIBRATION * 1.01, geometry={"refine_calibration": True})
    assert verdict_of(refined, checks.CALIBRATION) == "good"
    assert refined.prepared.survey.geometry.calibration_per_angstrom == pytest.approx(CALIBRATION, rel=0.006)


@pytest.mark.parametrize(
    ("frames", "phases", "why"),
    [(np.s_[:], (), "no candidate phases"), (np.s_[:1, :1], PHASES, "too few")],
    ids=["no phases", "few spots"],
)
def test_a_calibration_that_nothing_speaks_for_is_doubtful(made, tmp_path, frames, phases, why):
    few = made.frames[frames].copy()
    if phases:
        few[..., :60], few[..., 100:] = 0, 0  # next to the beam there are no spots
    found = diagnosed(tmp_path, few, phases=phases, geometry=NO_ELLIPSE)
    assert verdict_of(found, checks.CALIBRATION) == "doubtful"
    assert why in found.verdict.of(checks.CALIBRATION).sentence
    assert found.verdict.overall != "good"


def test_a_scan_of_few_electrons_has_a_bad_dose(tmp_path):
    faint = make_scan(PHASES, Faults(seed=55, electrons=250))
    assert verdict_of(diagnosed(tmp_path, faint.frames, geometry=NO_ELLIPSE), checks.DOSE) == "bad"


def test_a_mask_over_a_third_of_the_detector_is_bad(made, tmp_path):
    mask = np.ones((160, 160), bool)
    mask[:50] = False
    np.save(tmp_path / "mask.npy", mask)
    found = diagnosed(
        tmp_path, made.frames[:3, :3], geometry=NO_ELLIPSE, pixels={"mask": str(tmp_path / "mask.npy")},
        integration={"polar": False, "uncovered": "flag"},
    )  # fmt: skip
    assert verdict_of(found, checks.BAD_PIXELS) == "bad"


def test_dead_patterns_are_bad_where_they_are_many(made, tmp_path):
    frames = made.frames.copy()
    frames[2] = 0
    found = diagnosed(tmp_path, frames, geometry=NO_ELLIPSE)
    assert verdict_of(found, checks.DEAD_PATTERNS) == "bad"
    assert verdict_of(found, checks.MODELLED) == "good"
    assert np.isfinite(found.sums.mean_profile).all()


def test_patterns_that_end_before_the_crop_are_bad(made, tmp_path):
    found = diagnosed(
        tmp_path, made.frames[:3, :3], calibration=0.011, geometry=NO_ELLIPSE,
        integration={"polar": False, "uncovered": "flag"},
    )  # fmt: skip
    assert verdict_of(found, checks.COVERAGE) == "bad"


def test_a_place_of_the_beam_that_was_given_is_doubtful(made, tmp_path):
    found = diagnosed(
        tmp_path, made.frames[:3, :3], geometry=NO_ELLIPSE, beam={"method": "given", "centre_px": [79.5, 79.5]}
    )
    assert verdict_of(found, checks.CENTRE) == "doubtful"
    assert found.verdict.of(checks.MODELLED) is None


def test_the_verdict_is_kept_as_a_record(sound):
    kept = ScanVerdict.from_record(sound.verdict.to_record(), "here")
    assert kept == sound.verdict


def test_virtual_detectors_count_what_falls_on_them(sound, made):
    good = sound.prepared.survey.pixels.good
    assert np.array_equal(sound.sums.counts, made.frames.astype(np.int64).sum(axis=(2, 3), where=good))
    y, x = np.mgrid[:160, :160]
    radius = sound.prepared.survey.disc_radius_px
    for iy, ix in ((0, 0), (3, 5)):
        row, column = sound.sums.centres[iy, ix]
        disc = good & (np.hypot(y - row, x - column) <= radius)
        assert sound.sums.beam[iy, ix] == made.frames[iy, ix][disc].sum()
        far = np.hypot(y - row, x - column) * CALIBRATION
        crop = (far > 0.104) & (far < 1.322)
        assert sound.sums.scattered[iy, ix] == pytest.approx(made.frames[iy, ix][crop].sum(), rel=0.1)


def test_the_sums_of_stored_arrays_are_those_of_the_blocks(sound):
    path, spec = sound.prepared.scan.source, sound.prepared.spec
    whole = preprocess_scan(path, spec)
    stored = {
        "profiles": whole.profiles, "centre": whole.centres, "flags": whole.flags,
        "counts": sound.sums.counts, "beam_counts": sound.sums.beam,
    }  # fmt: skip
    again = ScanSums.of_stored(sound.prepared, stored)
    assert again.mean_profile == pytest.approx(sound.sums.mean_profile, rel=1e-12)
    assert again.scattered == pytest.approx(sound.sums.scattered, rel=1e-12)
    assert np.array_equal(again.counts, sound.sums.counts)


def test_spots_lie_on_their_lines_once_the_ellipse_is_undone(sound):
    found = spot_radii(sound)
    assert len(found.azimuth_deg) > 50
    assert np.std(found.undone) < 0.7 * np.std(found.recorded)
    phi = np.radians(2 * found.azimuth_deg)
    a, b = FAULTS.ellipse
    fitted = np.linalg.lstsq(np.column_stack([-np.cos(phi), np.sin(phi)]), found.recorded, rcond=None)[0]
    assert fitted == pytest.approx((a, b), abs=0.003)
