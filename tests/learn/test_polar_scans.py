"""Maps of the polar patterns of a preprocessed scan, which is known by its file of profiles."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from difsims_core import PreprocessingSpec, open_experiment, write_scan
from difsims_core.errors import CorruptDataError, ExperimentError
from difsims_core.families import CLASSIFIERS
from difsims_core.learn import measured_axis, measured_scan
from difsims_core.learn.classifiers.base import Answer
from difsims_core.learn.predict import predict_experiment, predict_profiles
from difsims_core.learn.scan.confidence import confidence
from difsims_core.learn.scan.grains import Grains
from difsims_core.scans import intake, missing_maps
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import read_prediction, read_profiles, write_profiles
from difsims_core.storage.objects import open_store
from tests.learn.nearest_mean import NearestMean, NearestMeanSpec
from tests.learn.test_predict import bundle_of

SPEC = PreprocessingSpec(
    reading={"calibration_per_angstrom": 0.05, "scan_step_nm": 2.5},
    geometry={"ellipse": (0, 0)},
    integration={"uncovered": "flag"},
)
SHAPE = (7, 5)


class Telling(NearestMean):
    """Also says things beside probabilities."""

    def answer(self, patterns):
        assert np.isfinite(patterns).all()
        n = len(patterns)
        orientation = np.tile([0.5, 0.5, -0.5, 0.5], (n, 1))
        shares = np.tile(np.float32([0.25, 0.75]), (n, 1))
        return Answer(self.predict(patterns), shares, orientation, patterns[:, 5, 7], np.full(n, 0.125, np.float32))


@pytest.fixture(autouse=True)
def offered(monkeypatch):
    monkeypatch.setitem(CLASSIFIERS.loaded, "nearest_mean", NearestMean)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    rng = np.random.default_rng(4)
    frames = rng.poisson(3.0, (*SHAPE, 64, 64)).astype(np.uint16)
    frames[:, :, 30:35, 31:36] += 1000
    for iy, ix in np.ndindex(SHAPE):
        frames[iy, ix, 40 + iy, 40 + ix] += 400
    frames[2, 3] = 0
    path = tmp_path_factory.mktemp("raw") / "roi_3.npy"
    np.save(path, frames)
    mask = np.ones((64, 64), bool)
    mask[33:, 33] = False
    np.save(path.with_name("roi_3_mask.npy"), mask)
    return path


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.fixture
def scan(store, raw):
    written = write_scan(store, raw, SPEC)
    return open_experiment(written.name, store)


def bundle(scan, takes="reduced", kind=Telling):
    n_q, n_azimuths = scan["y"].shape[2:]
    found = replace(
        bundle_of(),
        training=NearestMeanSpec(takes=takes),
        q_axis=np.asarray(scan["q"][...]),
        other_axes=(n_azimuths,),
    )
    means = np.random.default_rng(1).random((2, n_q, n_azimuths)).astype(np.float32)
    vars(found)["classifier"] = kind(means, 30.0)
    return found


def url_of(scan):
    return scan.store.url(layout.experiment_profiles(scan.name))


@pytest.mark.parametrize("at_once", [1, 7, 16_384])
def test_the_map_is_that_of_the_patterns(store, scan, monkeypatch, at_once):
    monkeypatch.setattr(measured_scan, "_PREPARE_ROWS", at_once)
    found = bundle(scan, kind=NearestMean)
    result = predict_experiment(store, found, url_of(scan))
    assert (result.name, result.n_patterns, result.n_invalid) == ("roi_3_radial_crop", 35, 1)
    prediction = read_prediction(result.url)
    y = np.asarray(scan["y"][...])
    assert np.isnan(y[0, 0]).any(), "cells that a column of bad pixels hides"
    filled = np.where(np.isnan(y), np.nanmedian(y, axis=-1, keepdims=True), y)
    expected = predict_profiles(found, filled, scan["q"][...])
    np.testing.assert_array_equal(prediction.pred, expected)
    np.testing.assert_array_equal(np.argwhere(prediction.invalid), [[2, 3]])
    assert prediction.scan_step_nm == 2.5
    np.testing.assert_array_equal(prediction.scan_q, read_profiles(url_of(scan)).x)
    np.testing.assert_array_equal(prediction.x, prediction.scan_q)
    assert prediction.fractions is prediction.orientation is prediction.disagreement is None
    again = predict_experiment(store, found, url_of(scan))
    assert (again.reused, again.n_invalid) == (True, 1)


def test_what_a_classifier_says_is_kept(store, scan):
    prediction = read_prediction(predict_experiment(store, bundle(scan), url_of(scan)).url)
    usable = ~prediction.invalid
    np.testing.assert_array_equal(prediction.fractions[usable], np.tile([0.25, 0.75], (34, 1)))
    np.testing.assert_array_equal(prediction.orientation[usable], np.tile([0.5, 0.5, -0.5, 0.5], (34, 1)))
    np.testing.assert_array_equal(prediction.disagreement[usable], 0.125)
    np.testing.assert_array_equal(
        prediction.confidence, confidence(prediction.pred, usable, Grains(prediction.grain, prediction.grain_pred))
    )
    assert np.ptp(prediction.reliability[usable]) > 0
    assert prediction.grain.shape == SHAPE
    assert prediction.grain[2, 3] == -1
    none = prediction.grain < 0
    np.testing.assert_array_equal(prediction.grain_pred[none], prediction.pred[none])
    for values in ("fractions", "orientation", "reliability", "disagreement", "confidence"):
        assert np.isnan(getattr(prediction, values)[2, 3]).all()


def test_a_scan_without_polar_patterns_is_refused(store, scan, raw, tmp_path):
    found = bundle(scan)
    profiles = read_profiles(url_of(scan))
    write_profiles(tmp_path / "roi_3_radial_crop.npz", profiles.x, profiles.y)
    with pytest.raises(ExperimentError, match=r"roi_3_radial_crop\.npz: holds radial profiles.*preprocess"):
        predict_experiment(store, found, tmp_path / "roi_3_radial_crop.npz")
    write_profiles(url_of(scan), profiles.x, 2 * profiles.y)
    with pytest.raises(ExperimentError, match="other profiles"):
        predict_experiment(store, found, url_of(scan))
    shutil.copy(raw, tmp_path / "plain.npy")
    bare = write_scan(
        store,
        tmp_path / "plain.npy",
        SPEC.model_copy(update={"integration": SPEC.integration.model_copy(update={"polar": False})}),
    )
    with pytest.raises(ExperimentError, match="without polar patterns"):
        predict_experiment(store, found, store.url(layout.experiment_profiles(bare.name)))


def test_other_azimuths_and_a_unit_are_refused(store, scan):
    found = replace(bundle(scan), other_axes=(36,))
    vars(found)["classifier"] = None
    with pytest.raises(ExperimentError, match=r"\(36,\).*\(72,\)"):
        predict_experiment(store, found, url_of(scan))
    with pytest.raises(ExperimentError, match="Å⁻¹"):
        predict_experiment(store, bundle(scan), url_of(scan), "1/nm")


def test_patterns_of_the_other_kind_are_refused(scan):
    polar, profile = bundle(scan), bundle_of()
    y, q = np.asarray(scan["y"][:1]), np.asarray(scan["q"][...])
    with pytest.raises(ExperimentError, match=r"polar patterns of \(72,\) values for each q, found \(147,\)"):
        predict_profiles(polar, np.ones((4, len(q), 147)), q)
    with pytest.raises(ExperimentError, match=r"polar patterns of shape \(…, n_q, 72\), found \(74,\)"):
        predict_profiles(polar, np.ones(len(q)), q)
    with pytest.raises(ExperimentError, match=r"72"):
        predict_profiles(profile, y, q)


@pytest.mark.parametrize("annuli_per_radius", [1, 4])
def test_another_grid_of_radii_is_refused(store, scan, raw, tmp_path, annuli_per_radius):
    path = shutil.copy(raw, tmp_path / "other.npy")
    integration = SPEC.integration.model_copy(update={"annuli_per_radius": annuli_per_radius})
    other = open_experiment(write_scan(store, path, SPEC.model_copy(update={"integration": integration})).name, store)
    with pytest.raises(ExperimentError, match=r"other_radial_crop.*axis covers 0\.1\d+ … .* is needed"):
        predict_experiment(store, bundle(scan, kind=NearestMean), url_of(other))


def test_another_calibration_is_right_as_axes_are_in_inverse_angstroms(store, scan, raw, tmp_path):
    """A detector of the same pattern with twice as many pixels, half as large."""
    frames = np.load(raw).repeat(2, axis=2).repeat(2, axis=3)
    np.save(tmp_path / "fine.npy", frames)
    np.save(tmp_path / "fine_mask.npy", np.load(raw.with_name("roi_3_mask.npy")).repeat(2, axis=0).repeat(2, axis=1))
    reading = SPEC.reading.model_copy(update={"calibration_per_angstrom": 0.025})
    changed = SPEC.model_copy(update={"reading": reading})
    other = open_experiment(write_scan(store, tmp_path / "fine.npy", changed).name, store)
    found = bundle(scan, kind=NearestMean)
    own, fine = (read_prediction(predict_experiment(store, found, url_of(one)).url) for one in (scan, other))
    usable = ~(own.invalid | fine.invalid)
    assert usable.sum() > 30
    assert np.median(np.abs(own.pred - fine.pred)[usable]) < 0.1


def test_a_scan_of_another_beam_energy_is_refused(store, scan, raw, monkeypatch, tmp_path):
    monkeypatch.setattr(measured_axis, "_simulated_energies_kv", lambda _bundle: [200.0])
    found = bundle(scan, kind=NearestMean)
    assert predict_experiment(store, found, url_of(scan)).n_patterns == 35, "nobody has said its energy"
    for energy, fits in ((201.0, True), (300.0, False)):
        path = shutil.copy(raw, tmp_path / f"at_{energy:.0f}.npy")
        reading = SPEC.reading.model_copy(update={"beam_energy_kv": energy})
        other = open_experiment(write_scan(store, path, SPEC.model_copy(update={"reading": reading})).name, store)
        if fits:
            predict_experiment(store, found, url_of(other))
            continue
        with pytest.raises(ExperimentError, match=r"at_300.*300 kV.*200 kV.*--phases"):
            predict_experiment(store, found, url_of(other))


def test_a_scan_that_is_replaced_meanwhile_is_not_mapped(store, scan, raw):
    opened = measured_scan.open_scan(url_of(scan), bundle(scan).input)
    write_scan(
        store,
        raw,
        SPEC.model_copy(update={"reading": SPEC.reading.model_copy(update={"scan_step_nm": 3.0})}),
        force=True,
    )
    with pytest.raises(CorruptDataError, match="replaced"):
        list(opened.runs())


def test_the_intake_leaves_scans_without_polar_patterns_to_other_models(store, scan, monkeypatch):
    profiles = read_profiles(url_of(scan))
    write_profiles(store.url(layout.experiment_profiles("bare")), profiles.x, profiles.y)
    models = {"cnn-00000000-0000-4000-8000-000000000001": True, "cnn-00000000-0000-4000-8000-000000000002": False}
    for module in (missing_maps, intake):
        monkeypatch.setattr(module, "takes_polar", lambda _store, model: models[model])
    inventory = missing_maps.Inventory.listed(store, tuple(models))
    lacking = {(item.model[-1], item.scan.key.rpartition("/")[2]) for item in inventory.missing}
    assert lacking == {
        ("1", "roi_3_radial_crop.npz"), ("2", "roi_3_radial_crop.npz"), ("2", "bare_radial_crop.npz"),
    }  # fmt: skip
    assert inventory.mapped == frozenset()
    found = [intake.scans_to_predict(store, model) for model in models]
    assert [len(urls) for urls, _ in found] == [1, 2]
    assert found[0][1] == {"bare": "no polar patterns, which this model takes"}
