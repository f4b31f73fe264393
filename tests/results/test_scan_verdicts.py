"""What was said of a raw scan is shown with its maps, and with no others."""

from __future__ import annotations

import numpy as np
import pytest

from difsims_core import PreprocessingSpec
from difsims_core.results.map_report import write_map_report
from difsims_core.results.preprocessed import preprocess_and_judge
from difsims_core.results.scan_verdicts import verdict_of_map
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import Prediction, read_profiles, write_prediction, write_profiles
from difsims_core.storage.objects import open_store

MODEL = "cnn-00000000-0000-4000-8000-000000000001"
SPEC = PreprocessingSpec(reading={"calibration_per_angstrom": 0.05}, geometry={"ellipse": (0, 0)})


@pytest.fixture
def judged(tmp_path):
    frames = np.zeros((2, 3, 64, 64), np.uint16)
    frames[:, :, 30:35, 31:36] = 1000  # nothing is scattered: no dose in the crop
    np.save(tmp_path / "roi_5.npy", frames)
    store = open_store(tmp_path / "store")
    return store, preprocess_and_judge(store, tmp_path / "roi_5.npy", SPEC)


def predict(store, sha256):
    url = store.url(layout.prediction(MODEL, "roi_5_radial_crop"))
    pred = np.full((2, 3, 2), 0.5)
    write_prediction(url, Prediction(pred, ("pb", "pbi2_2h"), MODEL, experiment="x", experiment_sha256=sha256))
    return url


def test_a_map_is_shown_with_the_verdict_on_its_scan(judged):
    store, scan = judged
    url = predict(store, read_profiles(scan.written.profiles).sha256)
    verdict = verdict_of_map(store, url)
    assert verdict == scan.verdict
    assert verdict.overall == "bad"
    report, _ = write_map_report(store, [url])
    assert next(check.sentence for check in verdict.checks if check.verdict == "bad") in store.read(report.key).decode()


def test_a_map_of_other_profiles_under_the_same_name_is_not(judged):
    store, scan = judged
    profiles = read_profiles(scan.written.profiles)
    other = write_profiles(f"{store.root}/elsewhere/roi_5_radial_crop.npz", profiles.x, profiles.y + 1)
    assert verdict_of_map(store, predict(store, other.sha256)) is None


def test_a_verdict_that_is_gone_is_made_again(judged, tmp_path):
    store, scan = judged
    store.delete(layout.verdict("roi_5"))
    again = preprocess_and_judge(store, tmp_path / "roi_5.npy", SPEC)
    assert again.reused
    assert again.verdict == scan.verdict
    assert store.exists(layout.verdict("roi_5"))
