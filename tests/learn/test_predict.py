"""Prediction around the classifier, with a stand-in; the real one runs in the integration tests."""

import logging
import re

import numpy as np
import pytest

from difsims_core.config.learning import TrainingSpec
from difsims_core.config.signal import PostprocessingSpec
from difsims_core.errors import ExperimentError
from difsims_core.evaluate.scan_files import find_scan
from difsims_core.learn import classify as classifying
from difsims_core.learn.bundle import ModelBundle
from difsims_core.learn.classifiers.base import Answer
from difsims_core.learn.classify import prepare_patterns
from difsims_core.learn.measured_scan import runs_of
from difsims_core.learn.predict import predict_experiment, predict_profiles
from difsims_core.results.maps.phase_map import phase_map
from difsims_core.storage.names import same_place
from difsims_core.storage.npz.contracts import predicted_name, read_prediction, read_profiles, write_profiles
from difsims_core.storage.npz.pattern_flags import BEAM_MODELLED, DEAD, SATURATED, UNCOVERED
from difsims_core.storage.objects import expand_urls, open_store

Q = np.linspace(0.1, 1.3, 61)


class Standin:
    """Probabilities from the centre of mass of a profile; counts its calls."""

    def __init__(self):
        self.rows = 0

    def predict(self, profiles):
        assert profiles.dtype == np.float32
        assert profiles.min() == 0
        assert profiles.max() == 1
        self.rows += len(profiles)
        centre = (profiles * np.linspace(0, 1, profiles.shape[1])).sum(1) / profiles.sum(1)
        return np.stack([1 - centre, centre], axis=1).astype(np.float32)

    def answer(self, profiles):
        return Answer(self.predict(profiles))


def classify(bundle, y, q, unusable=None):
    shape = y.shape[:-1]
    found = classifying.classify(
        bundle, runs_of(y, 1), shape, q, np.zeros(shape, bool) if unusable is None else unusable
    )
    return found.answer.probabilities, found.invalid


def bundle_of(*, sqrt=False):
    bundle = ModelBundle(
        id="cnn-00000000-0000-4000-8000-000000000000",
        phases=("a", "b"),
        q_axis=Q,
        preprocessing=PostprocessingSpec(sqrt=sqrt),
        sim_ids=("sim-00000000-0000-4000-8000-000000000000",),
        sim_fingerprints=("0" * 64,),
        training=TrainingSpec(),
        training_fingerprint="1" * 64,
        split={"held_out_fraction": 0.25, "seed": 0, "n_train": 8, "n_validation": 2, "n_test": 2},
        metrics={
            "n": 2,
            "accuracy": 0.5,
            "confusion": {"class_names": ["a", "b"], "counts": [[1, 0], [1, 0]]},
            "per_class": {"a": {"recall": 1.0}, "b": {"recall": 0.0}},
        },
        history=(),
        versions={},
        created="2026-01-01T00:00:00+00:00",
    )
    vars(bundle)["classifier"] = Standin()
    return bundle


def measured(*shape, q=Q, seed=0):
    peaks = np.random.default_rng(seed).uniform(0.3, 1.1, (*shape, 1))
    return (5 + 100 * np.exp(-(((q - peaks) / 0.05) ** 2))).astype(np.float32)


@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 4), (2, 3, 4), (0,), (40, 500)])
def test_the_navigation_shape_is_kept(shape):
    y = measured(*shape)
    pred = predict_profiles(bundle_of(), y, Q)
    assert pred.shape == (*shape, 2)
    assert pred.dtype == np.float32
    np.testing.assert_allclose(pred.sum(axis=-1), 1, atol=1e-6)
    if shape and 0 not in shape:
        last = tuple(size - 1 for size in shape)
        np.testing.assert_array_equal(pred[last], predict_profiles(bundle_of(), y[last], Q))


def test_profiles_beyond_one_preparation_are_all_predicted():
    y = measured(20_000)
    pred = predict_profiles(bundle_of(), y, Q)
    np.testing.assert_array_equal(pred[-3:], predict_profiles(bundle_of(), y[-3:], Q))
    assert len(np.unique(pred[:, 0])) > 1000


def test_unusable_pixels_get_a_uniform_probability_and_are_reported(caplog):
    y = measured(4, 5)
    y[0, 1, 3], y[2, 2, 0], y[3, 4] = np.nan, np.inf, 7.0
    bundle = bundle_of()
    with caplog.at_level(logging.WARNING):
        pred = predict_profiles(bundle, y, Q)
    assert "3 of 20" in caplog.text
    _, invalid = classify(bundle, y, Q)
    assert np.argwhere(invalid).tolist() == [[0, 1], [2, 2], [3, 4]]
    np.testing.assert_array_equal(pred[invalid], 0.5)
    np.testing.assert_array_equal(pred[~invalid], predict_profiles(bundle, measured(4, 5), Q)[~invalid])


def test_nothing_usable_at_all():
    bundle = bundle_of()
    pred, invalid = classify(bundle, np.zeros((3, 61)), Q)
    assert invalid.all()
    np.testing.assert_array_equal(pred, 0.5)
    assert bundle.classifier.rows == 0


def test_an_axis_within_the_tolerance_leaves_the_profiles_alone():
    same, _ = prepare_patterns(bundle_of(), measured(3), Q + 9e-7)
    exact, _ = prepare_patterns(bundle_of(), measured(3), Q)
    np.testing.assert_array_equal(same, exact)


def test_a_wider_axis_is_resampled():
    wide = np.linspace(0.05, 1.5, 400)
    resampled = predict_profiles(bundle_of(), measured(20, q=wide), wide)
    np.testing.assert_allclose(resampled, predict_profiles(bundle_of(), measured(20), Q), atol=0.01)
    shifted = predict_profiles(bundle_of(), measured(20, q=wide), wide - 0.03)
    assert np.abs(shifted - resampled).max() > 0.02


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.linspace(0.2, 1.3, 61), "covers 0.2000 … 1.3000"),
        (np.linspace(0.1, 1.2, 61), "covers 0.1000 … 1.2000"),
        (Q[::-1], "increasing"),
        (Q[:-1], "shape"),
    ],
)
def test_an_axis_that_does_not_fit_is_refused(x, message):
    with pytest.raises(ExperimentError, match=message):
        predict_profiles(bundle_of(), measured(2), x)


def test_a_single_number_is_refused():
    with pytest.raises(ExperimentError, match=r"shape \(…, n_q\)"):
        predict_profiles(bundle_of(), np.float32(1), Q)


def test_the_square_root_of_training_is_repeated():
    plain, _ = prepare_patterns(bundle_of(), measured(3), Q)
    root, _ = prepare_patterns(bundle_of(sqrt=True), measured(3), Q)
    expected = np.sqrt(measured(3).astype(float))
    expected = (expected - expected.min(-1, keepdims=True)) / np.ptp(expected, axis=-1, keepdims=True)
    np.testing.assert_allclose(root, expected, atol=1e-6)
    assert np.abs(root - plain).max() > 0.05


def test_an_experiment_is_predicted_once_until_it_changes(tmp_path):
    store, bundle = open_store(tmp_path / "store"), bundle_of()
    path = tmp_path / "scan_radial_crop.npz"
    y = measured(3, 4)
    y[1, 1] = 0
    write_profiles(path, Q, y)
    first = predict_experiment(store, bundle, path)
    assert (first.name, first.reused, first.n_invalid, first.n_patterns) == ("scan_radial_crop", False, 1, 12)
    assert first.url == store.url(f"predictions/{bundle.id}/scan_radial_crop_probability_pred.npz")

    with np.load(first.url.removeprefix("file://"), allow_pickle=False) as stored:
        assert {"pred", "phases", "cnn_id", "x", "sim_ids", "experiment", "created"} <= set(stored.files)
    prediction = read_prediction(first.url)
    np.testing.assert_array_equal(prediction.pred, predict_profiles(bundle, y, Q))
    np.testing.assert_array_equal(prediction.invalid, y[..., 0] == 0)
    assert (prediction.phases, prediction.cnn_id, prediction.sim_ids) == (bundle.phases, bundle.id, bundle.sim_ids)
    assert prediction.experiment == str(path)

    rows = bundle.classifier.rows
    assert predict_experiment(store, bundle, path) == type(first)(bundle.id, first.url, "scan_radial_crop", True, 1, 12)
    assert bundle.classifier.rows == rows
    write_profiles(path, Q, measured(3, 4, seed=1))
    changed = predict_experiment(store, bundle, path)
    assert (changed.reused, changed.n_invalid) == (False, 0)
    assert np.any(read_prediction(changed.url).pred != prediction.pred)


def test_a_prediction_knows_the_scan_step_of_its_scan(tmp_path):
    store = open_store(tmp_path / "store")
    scan = tmp_path / "scan_radial_crop.npz"
    write_profiles(scan, Q, measured(3, 4), scan_step_nm=3.87)
    assert read_prediction(predict_experiment(store, bundle_of(), scan).url).scan_step_nm == 3.87


def test_flagged_pixels_are_invalid_and_a_saturated_beam_is_not(tmp_path, caplog):
    store, bundle, scan = open_store(tmp_path / "store"), bundle_of(), tmp_path / "scan_radial_crop.npz"
    y = measured(2, 4)
    y[1, 0] = 7.0
    flags = np.array([[DEAD, BEAM_MODELLED, UNCOVERED, SATURATED], [0, 0, SATURATED | BEAM_MODELLED, 0]])
    write_profiles(scan, Q, y, flags=flags)
    with caplog.at_level(logging.WARNING):
        result = predict_experiment(store, bundle, scan)
    assert (result.n_invalid, result.n_patterns) == (5, 8)
    assert "5 of 8 patterns get a uniform probability: 4 flagged" in caplog.text
    assert "1 others constant" in caplog.text
    assert bundle.classifier.rows == 3
    prediction = read_prediction(result.url)
    np.testing.assert_array_equal(prediction.invalid, [[True, True, True, False], [True, False, True, False]])
    assert (prediction.pred[prediction.invalid] == 0.5).all()
    without = predict_profiles(bundle, y, Q)
    np.testing.assert_array_equal(prediction.pred[~prediction.invalid], without[~prediction.invalid])
    labels = phase_map(prediction, result.url, {}).labels
    np.testing.assert_array_equal(labels < 0, prediction.invalid)
    write_profiles(scan, Q, y, flags=0 * flags)
    again = predict_experiment(store, bundle, scan)
    assert (again.reused, again.n_invalid) == (False, 1)


def test_flags_reach_patterns_beyond_one_preparation():
    y, unusable = measured(20_000), np.zeros(20_000, bool)
    unusable[[3, -3]] = True
    pred, invalid = classify(bundle_of(), y, Q, unusable)
    np.testing.assert_array_equal(invalid, unusable)
    assert (pred[unusable] == 0.5).all()


ODD_NAMES = [
    "..%2F..%2F..%2Fx_radial_crop", "a%20b", "a b", "a", "a_radial_crop", "a_probability_pred", "#1?", "[1]",
    "back\\slash", "new\nline", "\udcff", "\u202f", "x" * 250, "x" * 251, "~",
]  # fmt: skip


@pytest.mark.parametrize("folder", ["store", "st%20ore", "st ore", "..%2Fstore"])
def test_every_scan_has_a_prediction_of_its_own_within_the_store(tmp_path, folder):
    scans, home = tmp_path / "sc%20ans", tmp_path / folder
    for number, name in enumerate(ODD_NAMES):
        write_profiles(scans / f"{name}.npz", Q, measured(2, seed=number))
    bundle = bundle_of()
    for store in (open_store(home), open_store(home.as_uri())):
        results = [predict_experiment(store, bundle, url) for url in expand_urls(scans)]
        assert len({result.url for result in results}) == len({result.name for result in results}) == len(ODD_NAMES)
        for url, result in zip(expand_urls(scans), results, strict=True):
            found = read_prediction(result.url)
            assert found.experiment == url
            assert predicted_name(result.url) == result.name
            assert same_place(find_scan(found, result.url, scans), url)
            np.testing.assert_array_equal(found.pred, predict_profiles(bundle, read_profiles(url).y, Q))
    assert all(result.reused for result in results), "a path and its URL are one store"
    made = {path for path in tmp_path.rglob("*") if path.is_file() and path.parent != scans}
    assert len(made) == len(ODD_NAMES)
    assert {path.parent for path in made} == {home / "predictions" / bundle.id}


def test_a_path_and_its_url_are_one_scan(tmp_path):
    store, bundle, path = open_store(tmp_path / "store"), bundle_of(), tmp_path / "a b_radial_crop.npz"
    for number, url in enumerate((path, path.as_uri(), str(path))):
        write_profiles(path, Q, measured(2, seed=number))
        assert not predict_experiment(store, bundle, url).reused
    write_profiles(tmp_path / "other" / path.name, Q, measured(2, seed=9))
    with pytest.raises(ExperimentError, match=rf"other/a b_radial_crop\.npz: .*{re.escape(str(tmp_path))}/a b_radial"):
        predict_experiment(store, bundle, tmp_path / "other" / path.name)


def test_a_damaged_earlier_prediction_is_replaced(tmp_path):
    store, bundle = open_store(tmp_path / "store"), bundle_of()
    path = tmp_path / "scan.npz"
    write_profiles(path, Q, measured(5))
    first = predict_experiment(store, bundle, path)
    key = first.url.removeprefix(f"{store.root}/")
    store.write(key, store.read(key)[:100])
    assert not predict_experiment(store, bundle, path).reused
    assert read_prediction(first.url).pred.shape == (5, 2)


def test_an_experiment_on_another_axis_is_refused_by_name(tmp_path):
    path = tmp_path / "narrow_radial_crop.npz"
    write_profiles(path, Q[10:], measured(2, q=Q[10:]))
    store = open_store(tmp_path / "store")
    with pytest.raises(ExperimentError, match=rf"narrow_radial_crop\.npz: .*{Q[10]:.4f} … .*{Q[0]:.4f} … "):
        predict_experiment(store, bundle_of(), path)
    assert store.list() == []
