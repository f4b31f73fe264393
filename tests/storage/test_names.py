"""Names that come from outside, and the keys made of them."""

import uuid

import pytest

from difsims_core.errors import InputError
from difsims_core.storage import layout
from difsims_core.storage.names import split_url, url_name
from difsims_core.storage.npz.contracts import experiment_name
from difsims_core.storage.objects import open_store

SIM = f"sim-{uuid.UUID(int=5)}"
CNN = f"cnn-{uuid.UUID(int=6)}"


def test_the_layout_is_the_contract():
    assert layout.simulation(SIM) == f"simulations/{SIM}.zarr"
    assert layout.receipt(SIM, 17) == f"simulations/{SIM}.zarr/receipts/00017.json"
    assert layout.simulation_index("ab" * 32) == f"simulations/by-fingerprint/{'ab' * 32}.json"
    assert layout.experiment_profiles("roi_1") == "experiments/profiles/roi_1_radial_crop.npz"
    assert layout.model(CNN) == f"models/{CNN}"
    name = experiment_name("scans/roi_3_rebin_radial_crop.npz")
    assert layout.prediction(CNN, name) == f"predictions/{CNN}/roi_3_rebin_radial_crop_probability_pred.npz"
    assert layout.evaluation(CNN, "roi_1") == f"evaluations/{CNN}/roi_1.json"
    assert layout.report("run-1") == "reports/run-1/index.html"
    assert layout.completion(SIM).startswith(layout.simulation(SIM))


def test_new_ids_are_ids_and_differ():
    first, second = layout.new_simulation_id(), layout.new_simulation_id()
    assert first != second
    assert layout.check_simulation_id(first) == first
    assert uuid.UUID(first.removeprefix("sim-")).version == 4
    assert layout.is_model_id(layout.new_model_id())


@pytest.mark.parametrize("bad", ["", "sim-1", CNN, SIM.upper(), f"{SIM}/..", f"../{SIM}", f"{SIM}\n"])
def test_only_ids_become_keys_of_datasets(bad):
    with pytest.raises(InputError, match="sim-<uuid4>"):
        layout.simulation(bad)


@pytest.mark.parametrize("bad", ["../../etc/passwd", "a/b", "", "..", "a\x00b", "a\\b"])
def test_names_from_outside_never_become_paths(bad):
    for make in (layout.experiment_profiles, layout.report, lambda name: layout.prediction(CNN, name)):
        with pytest.raises(InputError):
            make(bad)


@pytest.mark.parametrize("bad", ["", "0" * 63, "../" + "0" * 61, "G" * 64])
def test_only_digests_become_keys_of_the_index(bad):
    with pytest.raises(InputError, match="fingerprint"):
        layout.simulation_index(bad)


def test_urls_and_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert open_store("here").root == f"file://{tmp_path}/here"
    assert open_store(tmp_path / "a" / ".." / "b").root == f"file://{tmp_path}/b"
    assert open_store("file:///x/y/").root == "file:///x/y"
    assert open_store("s3://bucket/a/b/").root == "s3://bucket/a/b"
    assert open_store("st%20ore #1").root == f"file://{tmp_path}/st%2520ore%20%231"
    assert open_store(f"file://{tmp_path}/st%20ore").root == open_store(tmp_path / "st ore").root
    assert open_store(tmp_path / "a").url("x y%20") == f"file://{tmp_path}/a/x%20y%2520"
    assert open_store("s3://bucket/a b%20").url("c #") == "s3://bucket/a b%20/c #"
    assert open_store("/").url("a") == "file:///a"
    for outside in (tmp_path / "ab" / "x", "s3://bucket/a/x", tmp_path / "a", tmp_path / "a" / ".." / "x"):
        with pytest.raises(InputError):
            open_store(tmp_path / "a").key_of(outside)
    assert split_url("S3://bucket/k") == ("s3", "bucket/k")
    assert url_name("s3://bucket/a/roi 1.npz") == "roi 1.npz"


def test_the_store_comes_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFSIMS_STORE", "s3://group/difsims")
    assert open_store().root == "s3://group/difsims"
    monkeypatch.delenv("DIFSIMS_STORE")
    monkeypatch.chdir(tmp_path)
    assert open_store().root == f"file://{tmp_path}/difsims-store"


@pytest.mark.parametrize("bad", ["gs://bucket/a", "s3://", "s3:///key", "s3://x", "", "  ", "s3://Bad_#/k", "a\x00b"])
def test_stores_that_cannot_be(bad):
    with pytest.raises(InputError):
        open_store(bad)


def test_an_unknown_scheme_lists_the_choices():
    with pytest.raises(InputError, match=r"'s4'.*'s3'.*file, s3"):
        open_store("s4://bucket/a")


def test_credentials_in_a_url_are_refused_and_not_repeated():
    with pytest.raises(InputError, match="AWS_") as caught:
        open_store("s3://someone:topsecret@bucket/prefix")
    assert "topsecret" not in str(caught.value)
