"""Measured peaks, powder lines and their matching on profiles whose answer is known."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difsims_core.crystal.phases import load_phase
from difsims_core.crystal.reflections import ReflectionList, reflection_list
from difsims_core.evaluate.experiment_scores import evaluate_experiment
from difsims_core.evaluate.matching import (
    AllowedLines,
    PeakOptions,
    match_phase,
    matched_pairs,
    mean_distance,
    q_max_needed,
)
from difsims_core.evaluate.measured_peaks import measured_peaks
from difsims_core.evaluate.powder_lines import PowderLines, merge_lines, powder_lines
from difsims_core.storage.npz.contracts import Prediction, Profiles, Truth
from tests.effort import examples

STEP = 0.008290514530472063
Q = STEP * np.arange(13, 160)
OPTIONS = PeakOptions()


def gaussians(at: np.ndarray, height: np.ndarray, sigma: float = 0.012) -> np.ndarray:
    return (height * np.exp(-0.5 * ((Q[:, None] - at) / sigma) ** 2)).sum(axis=1)


def lines_of(name: str) -> AllowedLines:
    return AllowedLines.of(reflection_list(load_phase(name), q_max_needed(Q, OPTIONS)), Q, OPTIONS)


@pytest.fixture(scope="module")
def library() -> dict[str, AllowedLines]:
    return {name: lines_of(name) for name in ("pb", "pbi2_2h", "gratia_2h")}


def powder_profile(lines: AllowedLines, scale: float) -> np.ndarray:
    visible = lines.visible
    return gaussians(visible.q / scale, visible.strength, 0.006) + 0.3 * np.exp(-3 * Q)


@given(offset=st.floats(-0.5, 0.5), sigma_bins=st.floats(1.0, 4.0))
def test_a_peak_is_found_to_a_fraction_of_a_bin(offset: float, sigma_bins: float) -> None:
    at = Q[70] + offset * STEP
    found = measured_peaks(Q, gaussians(np.array([at]), np.array([2.0]), sigma_bins * STEP), 0.01)
    assert found.q == pytest.approx([at], abs=0.05 * STEP)
    assert found.height == pytest.approx([2.0], rel=0.06)


def test_ripples_below_the_prominence_are_no_peaks_and_flat_profiles_have_none() -> None:
    profile = gaussians(np.array([0.5]), np.array([1.0])) + 0.002 * np.sin(Q * 200)
    assert measured_peaks(Q, profile, 0.01).q == pytest.approx([0.5], abs=STEP)
    assert measured_peaks(Q, np.ones_like(Q), 0.01).q.size == 0
    assert measured_peaks(Q, np.exp(-Q), 0.01).q.size == 0


def test_lines_of_lead_are_those_of_face_centred_cubic() -> None:
    reflections = reflection_list(load_phase("pb"), 1.0)
    lines = powder_lines(reflections, (0.1, 1.0))
    squares = np.array([3, 4, 8, 11, 12, 16, 19, 20, 24])  # h² + k² + l², all even or all odd
    assert lines.q == pytest.approx(np.sqrt(squares) / 4.95, abs=1e-5)
    multiplicity = np.array([8, 6, 12, 24, 8, 6, 24, 24, 24])
    intensity = np.array([reflections.intensity[(reflections.hkl == hkl).all(axis=1)][0] for hkl in lines.hkl])
    expected = multiplicity * intensity / lines.q**2
    assert lines.strength == pytest.approx(expected / expected.max())


def test_negligible_reflections_make_no_line() -> None:
    hkl = np.array([[1, 0, 0], [2, 0, 0], [3, 0, 0]])
    reflections = ReflectionList(hkl, hkl * 0.2, np.array([1.0, 0.0, 1e-6]))
    assert powder_lines(reflections, (0.1, 1.0)).q == pytest.approx([0.2])
    assert powder_lines(reflections, (0.7, 1.0)).q.size == 0


def test_lines_that_cannot_be_told_apart_merge_around_the_strongest() -> None:
    lines = PowderLines(np.array([0.300, 0.310, 0.330]), np.array([0.5, 1.0, 0.2]), np.eye(3, dtype=np.int64))
    merged = merge_lines(lines, 0.015)
    assert merged.q == pytest.approx([(0.3 * 0.5 + 0.31) / 1.5, 0.33])
    assert merged.strength == pytest.approx([1.0, 0.2 / 1.5])
    assert merged.hkl.tolist() == [[0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("name", ["pb", "pbi2_2h", "gratia_2h"])
@pytest.mark.parametrize("scale", [0.975, 1.0, 1.02])
def test_a_known_lattice_scale_is_recovered(library: dict[str, AllowedLines], name: str, scale: float) -> None:
    peaks = measured_peaks(Q, powder_profile(library[name], scale), OPTIONS.min_prominence)
    match = match_phase(peaks.q, library[name], Q, OPTIONS)
    assert match.scale == pytest.approx(scale, abs=0.001)
    assert match.precision is not None
    assert match.precision >= 0.9
    assert match.recall is not None
    assert match.recall >= 0.85  # two strong lines of gratia_2h lie 2.4 bins apart and may share one maximum
    assert not match.scale_at_limit


def test_the_historical_distance_by_hand() -> None:
    assert mean_distance(np.array([0.2, 0.5]), np.array([0.21, 0.46, 0.9])) == pytest.approx((0.01 + 0.04) / 2)
    assert mean_distance(np.array([0.2]), np.empty(0)) is None
    assert mean_distance(np.empty(0), np.array([0.2])) is None


def test_the_historical_distance_knows_no_lattice_scale(library: dict[str, AllowedLines]) -> None:
    at = library["pb"].every.q[:4]  # lines far apart: the nearest one stays the right one
    assert match_phase(at / 1.02, library["pb"], Q, OPTIONS).mean_distance_per_angstrom == pytest.approx(
        np.mean(at - at / 1.02)
    )


def test_right_phase_stands_above_its_null_though_dense_lines_are_near_everything(
    library: dict[str, AllowedLines],
) -> None:
    peaks = measured_peaks(Q, powder_profile(library["pb"], 1.0), OPTIONS.min_prominence)
    own, dense = (match_phase(peaks.q, library[name], Q, OPTIONS) for name in ("pb", "gratia_2h"))
    assert own.f1 > 0.9
    assert dense.f1 < 0.6
    assert dense.mean_distance_per_angstrom is not None
    assert dense.mean_distance_per_angstrom < 0.5 * STEP  # the historical metric alone would take it for a good match


def test_peaks_at_random_positions_are_explained_about_as_often_as_chance_says(
    library: dict[str, AllowedLines],
) -> None:
    q = np.random.default_rng(0).uniform(Q[0], Q[-1], 4000)
    lines, tolerance = library["gratia_2h"].visible.between(Q[0] + STEP, Q[-1] - STEP), STEP
    explained = (np.abs(q[:, None] - lines.q) <= tolerance).any(axis=1).mean()
    chance = match_phase(np.empty(0), library["gratia_2h"], Q, OPTIONS).chance_precision
    assert chance == pytest.approx(explained, abs=0.03)


@settings(max_examples=examples(60))
@given(
    peaks=st.lists(st.floats(0.1, 0.4), max_size=6, unique=True),
    lines=st.lists(st.floats(0.1, 0.4), max_size=6, unique=True),
)
def test_pairs_are_one_to_one_within_tolerance_and_as_many_as_possible(peaks: list[float], lines: list[float]) -> None:
    a, b, tolerance = np.sort(peaks), np.sort(lines), 0.03
    first, second = matched_pairs(a, b, tolerance)
    assert len(set(first.tolist())) == len(first)
    assert len(set(second.tolist())) == len(second)
    assert np.all(np.abs(a[first] - b[second]) <= tolerance)
    i = j = most = 0  # from below, taking the first line that fits is the largest matching of equal intervals
    while i < len(a) and j < len(b):
        if abs(a[i] - b[j]) <= tolerance:
            i, j, most = i + 1, j + 1, most + 1
        elif a[i] < b[j]:
            i += 1
        else:
            j += 1
    assert len(first) == most


def claims(*parts: int, phases: tuple[str, ...], invalid: np.ndarray | None = None) -> Prediction:
    labels = np.repeat(np.arange(len(parts)), parts)
    return Prediction(np.eye(len(phases), dtype=np.float32)[labels], phases, "cnn-x", invalid=invalid)


def test_absent_background_and_unknown_classes_are_named(library: dict[str, AllowedLines]) -> None:
    phases = ("pb", "pbi2_2h", "background", "mystery", "gratia_2h")
    y = np.vstack([np.tile(powder_profile(library["pb"], 1.0), (5, 1)), np.tile(np.exp(-Q), (7, 1))]).astype(np.float32)
    prediction = claims(5, 0, 3, 2, 2, phases=phases)
    lines = {**library, "background": "the background class has no lines", "mystery": "no file mystery.cif"}
    evaluation = evaluate_experiment(prediction, Profiles("scan", Q, y, ""), lines)
    status = {phase.phase: phase.status for phase in evaluation.phases}
    assert status == {
        "pb": "scored",
        "pbi2_2h": "absent",
        "background": "background",
        "mystery": "no structure",
        "gratia_2h": "no peaks",
    }
    pb, absent, _, mystery, _ = evaluation.phases
    assert set(pb.null) == {"pbi2_2h", "gratia_2h"}
    assert pb.better_than_null is True
    assert (absent.n_pixels, absent.match, absent.better_than_null) == (0, None, None)
    assert "mystery.cif" in mystery.reason
    assert pb.match is not None
    assert evaluation.mean_distance_per_angstrom == pb.match.mean_distance_per_angstrom
    assert not any(math.isnan(value) for value in (evaluation.mean_distance_per_angstrom or 0.0, pb.match.f1))
    document = evaluation.to_document()
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_invalid_and_unfinite_pixels_are_claimed_by_nobody(library: dict[str, AllowedLines]) -> None:
    good = powder_profile(library["pb"], 1.0).astype(np.float32)
    y = np.stack([good, good, np.full_like(good, np.nan), 50 * np.sin(40 * Q).astype(np.float32)])
    invalid = np.array([False, False, True, True])
    evaluation = evaluate_experiment(
        claims(4, phases=("pb",), invalid=invalid),
        Profiles("line", Q, y, ""),
        library,
        Truth(np.zeros(4, int), ("pb",)),
    )
    assert evaluation.phases[0].n_pixels == 2
    assert evaluation.phases[0].mean_profile == pytest.approx(good)
    assert evaluation.n_invalid == 2
    assert evaluation.scores is not None
    assert evaluation.scores["n"] == 2
