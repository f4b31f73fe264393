"""Scores with published or analytic values, and maps against their truth."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from difsims_core.errors import ExperimentError, InputError
from difsims_core.evaluate.classification import classification_scores, labels_in_phases, map_scores
from difsims_core.storage.npz.contracts import Prediction, Truth


@given(k=st.integers(2, 13))
def test_a_uniform_guess_scores_what_the_formulas_say(k: int) -> None:
    y = np.arange(5 * k) % k
    scores = classification_scores(np.full((5 * k, k), 1 / k), y, [f"p{i}" for i in range(k)])
    assert scores["log_loss"] == pytest.approx(math.log(k))
    assert scores["brier_score"] == pytest.approx(1 - 1 / k)
    assert scores["accuracy"] == pytest.approx(1 / k)
    assert scores["expected_calibration_error"] == pytest.approx(0.0, abs=1e-12)


def test_a_perfect_and_a_surely_wrong_answer() -> None:
    y = np.array([0, 1, 1])
    perfect = classification_scores(np.eye(2)[y], y, ("a", "b"))
    assert (perfect["log_loss"], perfect["brier_score"], perfect["macro_f1"]) == (0.0, 0.0, 1.0)
    wrong = classification_scores(np.eye(2)[1 - y], y, ("a", "b"))
    assert wrong["brier_score"] == pytest.approx(2.0)
    assert wrong["expected_calibration_error"] == pytest.approx(1.0)
    assert wrong["log_loss"] == pytest.approx(-math.log(np.finfo(np.float32).eps))


def test_a_calibrated_forecaster_has_no_calibration_error_and_an_overconfident_one_has() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet((1.0, 1.0, 1.0), size=200_000)
    y = (rng.random(len(p))[:, None] > np.cumsum(p, axis=1)).sum(axis=1)
    assert classification_scores(p, y, "abc")["expected_calibration_error"] < 0.005
    sharp = p**3 / (p**3).sum(axis=1, keepdims=True)
    scores = classification_scores(sharp, y, "abc")
    assert scores["expected_calibration_error"] == pytest.approx(
        sharp.max(axis=1).mean() - scores["accuracy"], abs=0.01
    )
    assert scores["expected_calibration_error"] > 0.1


def test_calibration_bins_are_closed_above() -> None:
    p = np.array(
        [[0.6, 0.4], [0.6 + 1e-9, 0.4 - 1e-9]]
    )  # 0.6 = 9/15 is the last of bin 8, a little more falls in bin 9
    n = classification_scores(p, np.array([0, 0]), "ab")["reliability"]["n"]
    assert (n[8], n[9], sum(n)) == (1, 1, 2)


def test_confusion_and_per_class_by_hand() -> None:
    y = np.array([0, 0, 0, 1, 1, 2])
    predicted = np.array([0, 0, 1, 1, 0, 1])
    scores = classification_scores(np.eye(4)[predicted], y, "abcd")
    assert scores["confusion"]["counts"] == [[2, 1, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    a, c, d = (scores["per_class"][name] for name in "acd")
    assert (a["precision"], a["recall"], a["f1"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert (c["precision"], c["recall"], c["f1"]) == (None, 0.0, 0.0)
    assert (d["precision"], d["recall"], d["f1"]) == (None, None, None)
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 0.4 + 0.0) / 3)


@pytest.mark.parametrize(
    ("p", "y", "words"),
    [
        ([[0.5, 0.6]], [0], r"0\.5, 0\.6"),
        ([[np.nan, 1.0]], [0], "nan"),
        ([[1.5, -0.5]], [0], r"1\.5.*-0\.5"),
        ([[0.5, 0.5]], [2], " 0 .* 1, .*int64"),
        ([[0.5, 0.5]], [-1], " 0 .* 1, .*int64"),
        ([[0.5, 0.5]], [0.0], "integers"),
        ([[0.5, 0.5]], [0, 1], r"\(1, 2\).*\(2,\)"),
        ([[0.2, 0.3, 0.5]], [0], r"\(1, 3\)"),
        (np.empty((0, 2)), np.empty(0, int), "one"),
    ],
)
def test_what_cannot_be_scored_is_refused(p: object, y: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        classification_scores(np.asarray(p), np.asarray(y), ("a", "b"))


def prediction(claims: list[list[int]], phases: tuple[str, ...], **more: object) -> Prediction:
    k = len(phases)
    pred = (np.eye(k)[np.array(claims)] * 0.9 + 0.1 / k).astype(np.float32)
    return Prediction(pred, phases, "cnn-x", **more)  # type: ignore[arg-type]


def test_classes_are_matched_by_name_not_by_position() -> None:
    truth = Truth(np.array([[0, 1], [2, 2]]), ("iron", "lead", "tin"))
    scores = map_scores(prediction([[2, 1], [0, 0]], ("tin", "lead", "iron")), truth)
    assert scores["accuracy"] == 1.0
    assert scores["per_class"]["tin"]["n_true"] == 2
    assert labels_in_phases(truth, ("tin", "lead", "iron")).tolist() == [[2, 1], [0, 0]]


def test_pixels_without_a_crystal_are_reported_not_scored() -> None:
    truth = Truth(np.array([[0, 1], [-1, -1]]), ("a", "b"))
    scores = map_scores(prediction([[0, 0], [1, 1]], ("a", "b")), truth)
    assert (scores["n"], scores["accuracy"]) == (2, 0.5)
    assert scores["no_crystal"]["claimed_by"] == {"a": 0, "b": 2}
    assert scores["no_crystal"]["mean_confidence"] == pytest.approx(0.95)


def test_grain_boundaries_and_invalid_pixels() -> None:
    truth = Truth(np.array([[0, 0], [1, 1]]), ("a", "b"), np.array([[False, True], [False, False]]))
    invalid = np.array([[False, False], [False, True]])
    scores = map_scores(prediction([[0, 1], [1, 0]], ("a", "b"), invalid=invalid), truth)
    assert scores["n"] == 3
    assert scores["accuracy"] == pytest.approx(2 / 3)
    assert (scores["accuracy_off_boundaries"], scores["n_boundary"], scores["n_invalid"]) == (1.0, 1, 1)


def test_a_phase_that_the_model_does_not_know_counts_as_mistakes() -> None:
    truth = Truth(np.array([0, 1, 1, 1]), ("a", "new"))
    scores = map_scores(prediction([0, 0, 1, 0], ("a", "b")), truth)  # type: ignore[list-item]
    assert scores["accuracy"] == 0.25
    assert scores["phases_unknown_to_the_model"] == ["new"]
    assert scores["confusion"]["class_names"] == ["a", "b", "new"]
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


def test_a_map_without_any_crystal_has_no_scores() -> None:
    scores = map_scores(prediction([[0, 1]], ("a", "b")), Truth(np.full((1, 2), -1), ("a", "b")))
    assert (scores["n"], scores["accuracy"], scores["log_loss"]) == (0, None, None)
    json.dumps(scores, allow_nan=False)


def test_maps_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ExperimentError, match=r"\(1, 2\).*\(2, 2\)"):
        map_scores(prediction([[0, 1]], ("a", "b")), Truth(np.zeros((2, 2), int), ("a", "b")))
    with pytest.raises(ExperimentError, match=r"\(x\).*\(a, b\)"):
        map_scores(prediction([[0, 1]], ("a", "b")), Truth(np.zeros((1, 2), int), ("x", "y")))


def test_what_grains_say_is_scored_beside_the_pixels() -> None:
    label = np.array([[0, 0, 1, 1, -1]])
    truth = Truth(label, ("a", "b"), np.array([[False, False, False, True, False]]))
    pixels = np.float32([[[0.9, 0.1], [0.4, 0.6], [0.1, 0.9], [0.8, 0.2], [0.5, 0.5]]])
    grains = np.float32([[[0.8, 0.2], [0.8, 0.2], [0.2, 0.8], [0.8, 0.2], [0.5, 0.5]]])
    alone = Prediction(pixels, ("a", "b"), "cnn-x")
    both = Prediction(pixels, ("a", "b"), "cnn-x", grain=np.int32([[0, 0, 1, 0, -1]]), grain_pred=grains)
    assert map_scores(alone, truth)["grains"] is None
    scores = map_scores(both, truth)
    assert (scores["accuracy"], scores["accuracy_off_boundaries"]) == (0.5, pytest.approx(2 / 3))
    of_grains = scores["grains"]
    assert (of_grains["n"], of_grains["accuracy"], of_grains["accuracy_off_boundaries"]) == (2, 0.75, 1.0)
    assert of_grains["log_loss"] == pytest.approx(-(3 * math.log(0.8) + math.log(0.2)) / 4)
