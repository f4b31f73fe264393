"""Models in a store: whole, with their lineage, and refused when anything of them is not what it was."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from difsims_core.errors import CorruptDataError, InputError, MissingObjectError, ModelError
from difsims_core.learn.backend import keras
from difsims_core.learn.bundle import load_bundle, save_bundle
from difsims_core.learn.classifiers.keras_network import KerasNetwork
from difsims_core.learn.export import export_keras
from difsims_core.learn.networks import build_network
from difsims_core.learn.verify import verify_model
from difsims_core.storage import layout
from difsims_core.storage.ids import list_models
from difsims_core.storage.objects import open_store
from tests.learn.test_predict import Q, bundle_of

EPOCH = {
    "epoch": 1, "epochs": 2, "loss": 0.7, "accuracy": 0.5, "val_loss": 0.7, "val_accuracy": 0.5, "seconds": 1.0,
    "samples_per_second": 8.0,
}  # fmt: skip


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.fixture(scope="module")
def network():
    return build_network("large_filter", (len(Q), 1), 2)


@pytest.fixture
def saved(store, network, tmp_path):
    (tmp_path / "events").write_bytes(b"curves")
    extra = {"tensorboard/train/events": tmp_path / "events"}
    return save_bundle(store, replace(bundle_of(), history=(EPOCH,)), KerasNetwork(network), extra)


def change(store, bundle, **values):
    key = layout.model_record(bundle.id)
    document = {**store.read_record(key), **values}
    store.write_record(key, {name: value for name, value in document.items() if value is not None})


def test_a_model_returns_whole(store, network, saved):
    for where in (
        saved.id,
        saved.id[:12],
        f"{store.root}/models/{saved.id}",
        f"{store.root}/models/{saved.id}/bundle.json",
    ):
        again = load_bundle(where, store)
        assert again.to_document() == saved.to_document()
        assert (again.phases, again.metrics["accuracy"], again.seed) == (("a", "b"), 0.5, 0)
        assert again.history == (EPOCH,)
        np.testing.assert_array_equal(again.q_axis, Q)
    profiles = np.random.default_rng(0).random((4, len(Q)), np.float32)
    np.testing.assert_array_equal(
        again.classifier.predict(profiles), np.asarray(network(profiles[..., None], training=False))
    )
    assert list_models(store) == [saved.id]


def test_the_record_is_plain_json_with_the_lineage_and_every_checksum(store, saved):
    folder = layout.model(saved.id)
    document = json.loads(store.read(f"{folder}/bundle.json"))
    lineage = {"phases", "q_axis_per_angstrom", "preprocessing", "sim_ids", "sim_fingerprints", "training"}
    assert lineage | {"split", "metrics", "history", "versions", "created", "kind", "input_shape"} <= set(document)
    sums = {
        key.removeprefix(f"{folder}/"): hashlib.sha256(store.read(key)).hexdigest()
        for key in store.list(folder)
        if not key.endswith("bundle.json")
    }
    assert set(sums) == {"weights.npz", "tensorboard/train/events"}
    assert {name: found["sha256"] for name, found in document["objects"].items()} == sums
    assert document["weights"][0] == {"name": "00_kernel", "shape": [6, 1, 64], "dtype": "float32"}


def test_the_weights_are_plain_arrays(store, saved, network):
    path = Path(store.url(f"models/{saved.id}/weights.npz").removeprefix("file://"))
    with np.load(path, allow_pickle=False) as arrays:
        assert list(arrays) == [weight.name for weight in saved.weights]
        for array, expected in zip(arrays.values(), network.get_weights(), strict=True):
            np.testing.assert_array_equal(array, expected)


def test_a_folder_elsewhere_is_a_model_too_under_its_own_name(store, saved, tmp_path, monkeypatch):
    elsewhere = tmp_path / "c%20opy #1"
    elsewhere.mkdir()
    moved = (Path(store.root.removeprefix("file://")) / "models" / saved.id).rename(elsewhere / saved.id)
    monkeypatch.chdir(elsewhere)
    for place in (moved, f"./{saved.id}", moved.as_uri()):
        assert load_bundle(place).classifier.network.output_shape == (None, 2)
    other = layout.new_model_id()
    moved.rename(elsewhere / other)
    with pytest.raises(ModelError, match=rf"{other}.*{saved.id}"):
        load_bundle(elsewhere / other)


def test_a_stopped_training_leaves_no_model(store, saved):
    store.delete(f"models/{saved.id}/bundle.json")
    with pytest.raises(MissingObjectError, match=rf"{saved.id}: .*bundle\.json"):
        load_bundle(saved.id, store)


@pytest.mark.parametrize("change", [lambda d: d[:-1], lambda d: d + b"\0", lambda d: d[:-9] + b"123456789"])
def test_changed_weights_are_noticed(store, saved, change):
    key = f"models/{saved.id}/weights.npz"
    store.write(key, change(store.read(key)))
    with pytest.raises(CorruptDataError, match="checksum"):
        _ = load_bundle(saved.id, store).classifier


def test_the_record_of_an_earlier_version_says_what_to_do(store, saved):
    store.write(layout.model_record(saved.id), json.dumps({"format": 1, "id": saved.id}).encode())
    with pytest.raises(CorruptDataError, match=r"bundle\.json.*`difsims convert"):
        load_bundle(saved.id, store)


def test_a_network_that_brings_code_is_not_stored(store):
    inputs = keras.Input((len(Q), 1))
    outputs = keras.layers.Dense(2)(keras.layers.Lambda(lambda values: values[..., 0])(inputs))
    with pytest.raises(ModelError, match="large_filter"):
        save_bundle(store, bundle_of(), KerasNetwork(keras.Model(inputs, outputs)))
    assert store.list() == []


def test_a_file_of_keras_that_lies_there_is_never_read(store, saved, monkeypatch):
    store.write(f"models/{saved.id}/model.keras", b"whatever")
    monkeypatch.setattr(keras.saving, "load_model", lambda *_a, **_k: pytest.fail("read"))
    assert load_bundle(saved.id, store).classifier.network.output_shape == (None, 2)


def test_an_export_is_a_file_of_keras(store, saved, network, tmp_path):
    export_keras(saved, tmp_path / "for_others.keras")
    again = keras.saving.load_model(tmp_path / "for_others.keras", compile=False, safe_mode=True)
    for one, other in zip(again.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(InputError, match=r"for_others\.h5.*\.keras"):
        export_keras(saved, tmp_path / "for_others.h5")


@pytest.mark.parametrize("name", ["cnn-123", "sim-00000000-0000-4000-8000-000000000000"])
def test_another_name_finds_nothing(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((MissingObjectError, InputError)):
        load_bundle(name, open_store(tmp_path))


def test_verify_finds_nothing_wrong_with_a_whole_model(store, saved):
    found = verify_model(store, saved.id)
    assert (found.ok, found.kind, found.id) == (True, "model", saved.id)
    assert found.warnings == (f"no record finds it by its training fingerprint {'1' * 64}",)
    with pytest.raises(MissingObjectError):
        verify_model(store, layout.new_model_id())


def test_verify_notices_every_changed_bit(store, saved):
    rng = np.random.default_rng(0)
    for key in store.list(layout.model(saved.id)):
        data = store.read(key)
        places = rng.integers(0, 8 * len(data), 40)
        for place in places if not key.endswith("weights.npz") else places[:10]:
            damaged = bytearray(data)
            damaged[place // 8] ^= 1 << place % 8
            store.write(key, bytes(damaged))
            assert not verify_model(store, saved.id).ok, (key, place)
        store.delete(key)
        if not key.endswith("bundle.json"):
            assert "no such" in " ".join(verify_model(store, saved.id).failures)
        store.write(key, data)
    assert verify_model(store, saved.id).ok


def test_verify_names_what_does_not_belong(store, saved):
    store.write(f"models/{saved.id}/more.bin", b"1")
    found = verify_model(store, saved.id)
    assert found.ok
    assert "more.bin" in found.warnings[0]


@pytest.mark.parametrize("other", ["weights.npz", "bundle.json"])
def test_another_models_files_in_a_folder_are_noticed(store, saved, other):
    network = build_network("large_filter", (len(Q), 1), 2)
    second = save_bundle(store, replace(bundle_of(), id=layout.new_model_id()), KerasNetwork(network))
    store.write(f"models/{saved.id}/{other}", store.read(f"models/{second.id}/{other}"))
    assert not verify_model(store, saved.id).ok
    with pytest.raises((ModelError, CorruptDataError)):
        _ = load_bundle(saved.id, store).classifier
