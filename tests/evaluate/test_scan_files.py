"""A prediction finds its scan and its truth map by names, present and earlier."""

import numpy as np
import pytest

from difsims_core.errors import ExperimentError
from difsims_core.evaluate.scan_files import find_scan, find_truth, read_truth_of, scan_folder
from difsims_core.storage.names import as_written
from difsims_core.storage.npz.contracts import Prediction

MAP = Prediction(np.full((2, 1), 1, np.float32), ("a",), "cnn-1")


def told(experiment):
    return Prediction(MAP.pred, MAP.phases, MAP.cnn_id, experiment=str(experiment))


def save_truth(path, label):
    np.savez(path, label=np.array([label, label]), phases=np.array(["a", "b"]))


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "a_radial_crop", "b", "..%2Fc_radial_crop", "back\\slash_radial_crop", "x" * 230):
        (tmp_path / f"{name}.npz").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize("name", ["a", "a_radial_crop", "..%2Fc_radial_crop", "back\\slash_radial_crop", "x" * 230])
def test_a_prediction_that_says_so_finds_exactly_its_scan(folder, name):
    prediction = "p/whatever_probability_pred.npz"
    for experiment in (folder / f"{name}.npz", (folder / f"{name}.npz").as_uri(), f"s3://elsewhere/{name}.npz"):
        found = find_scan(told(experiment), prediction, folder)
        assert as_written(found) == f"{folder}/{name}.npz"
        assert find_scan(told(experiment), prediction, folder.as_uri()) == found


@pytest.mark.parametrize(
    ("prediction", "scan"),
    [
        ("a_probabilty_pred.npz", "a_radial_crop"),
        ("a_radial_crop_probability_pred.npz", "a_radial_crop"),
        ("b_probability_pred.npz", "b"),
    ],
)
def test_a_historical_prediction_finds_its_scan_by_its_own_name(folder, prediction, scan):
    assert as_written(find_scan(MAP, prediction, folder)) == f"{folder}/{scan}.npz"


def test_a_scan_that_is_not_there_is_named(folder):
    with pytest.raises(ExperimentError, match=r"p/c_probability_pred\.npz.*c_radial_crop\.npz .*\bc\.npz"):
        find_scan(MAP, "p/c_probability_pred.npz", folder)


@pytest.mark.parametrize("place", ["file:///a/..%2F..%2Fx.npz", "s3://me:secret@b/x.npz", "s3:/slip/x.npz"])
def test_a_record_that_names_no_place_is_an_error_of_the_prediction(folder, place):
    for ask in (lambda: scan_folder(told(place), "p.npz", ["/"]), lambda: find_scan(told(place), "p.npz", folder)):
        with pytest.raises(ExperimentError, match=r"^p\.npz: ") as caught:
            ask()
        assert "secret" not in str(caught.value)
    with pytest.raises(ExperimentError, match="--experiments"):
        scan_folder(MAP, "p.npz", ["/"])
    assert scan_folder(told("/sc%20ans/a.npz"), "p.npz", ["/sc%20ans"]) == "file:///sc%2520ans"


@pytest.mark.parametrize(
    "place",
    [
        "/etc/passwd.npz",
        "file:///etc/passwd.npz",
        "/store/../etc/passwd.npz",
        "file:///store/%2e%2e/etc/passwd.npz",
        "/storeroom/a.npz",
        "s3://store/a.npz",
        "s3:///store/a.npz",
        "~/a.npz",
        "../store/a.npz",
    ],
)
def test_a_record_that_names_a_place_outside_is_an_error_of_the_prediction(place, monkeypatch):
    with pytest.raises(ExperimentError, match=r"^p\.npz: .*--experiments.*DIFSIMS_ALSO_READ"):
        scan_folder(told(place), "p.npz", ["/store", "file:///other%20store"])
    if "etc" in place and ".." not in place and "%2e" not in place:
        monkeypatch.setenv("DIFSIMS_ALSO_READ", "s3://lab/scans, /etc")
        assert scan_folder(told(place), "p.npz", ["/store"]) == "file:///etc"


def test_a_truth_map_is_found_with_and_without_the_ending_of_the_scan(tmp_path):
    url = "roi_1_radial_crop_probability_pred.npz"
    named = told("/scans/roi_1_radial_crop.npz")
    assert read_truth_of(named, url, tmp_path) is None
    assert read_truth_of(named, url, None) is None
    save_truth(tmp_path / "roi_1_truth.npz", 0)
    for prediction, path in ((named, url), (MAP, "roi_1_probability_pred.npz"), (told("/scans/roi_1.npz"), url)):
        assert read_truth_of(prediction, path, tmp_path).label.tolist() == [0, 0]
    save_truth(tmp_path / "roi_1_radial_crop_truth.npz", 1)
    assert read_truth_of(named, url, tmp_path).label.tolist() == [1, 1]
    assert read_truth_of(told("/scans/roi_1.npz"), url, tmp_path).label.tolist() == [0, 0]


@pytest.mark.service
def test_a_name_that_no_object_can_have_has_no_truth_map(s3_store_url):
    assert find_truth(told("/scans/back\\slash.npz"), "p_probability_pred.npz", s3_store_url) is None
