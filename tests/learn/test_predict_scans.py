"""Many scans and one model: each has its map or its reason."""

import pytest

from difsims_core.errors import ExperimentError, InputError, ModelError, StoreError
from difsims_core.learn.predict_scans import run_prediction
from difsims_core.storage.npz.contracts import write_profiles
from difsims_core.storage.objects import open_store
from tests.learn.test_predict import Q, bundle_of, measured


@pytest.fixture
def scans(tmp_path):
    for name in "abc":
        write_profiles(tmp_path / f"{name}.npz", Q, measured(2, 3))
    (tmp_path / "b.npz").write_bytes(b"damaged")
    return [str(tmp_path / f"{name}.npz") for name in "abc"]


def test_one_bad_scan_stops_no_other(tmp_path, scans):
    store, seen = open_store(tmp_path / "store"), []
    found = run_prediction(store, bundle_of(), scans, progress=lambda done, url: seen.append((done, url)))
    assert [(result.name, result.reused) for result in found.results] == [("a", False), ("c", False)]
    assert list(found.failures) == [scans[1]]
    assert isinstance(found.failures[scans[1]], ExperimentError)
    assert seen == list(enumerate(scans, start=1))
    assert {result.model for result in found.results} == {bundle_of().id}
    assert all(result.reused for result in run_prediction(store, bundle_of(), scans).results)


@pytest.mark.parametrize("error", [StoreError("the disk is full"), ModelError("no weights")])
def test_what_is_no_scans_fault_ends_the_run(tmp_path, scans, error):
    def fail(url):
        raise error

    with pytest.raises(type(error)):
        run_prediction(open_store(tmp_path), bundle_of(), scans, predict_one=fail)


def test_two_scans_of_one_name_are_refused_before_any_is_mapped(tmp_path, scans):
    with pytest.raises(InputError, match=str(tmp_path / "other" / "a.npz")):
        run_prediction(open_store(tmp_path), bundle_of(), [*scans, str(tmp_path / "other" / "a.npz")])
    assert open_store(tmp_path).list("predictions") == []
