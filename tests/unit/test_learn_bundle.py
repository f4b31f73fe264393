import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from difsims_core.errors import CorruptDataError, InputError, MissingObjectError, ModelError
from difsims_core.learn.backend import keras
from difsims_core.learn.bundle import list_models, load_bundle, save_bundle
from difsims_core.learn.networks import build_network
from difsims_core.storage.objects import open_store
from tests.unit.test_learn_predict import Q, bundle_of


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.fixture(scope="module")
def network():
    return build_network("large_filter", (len(Q), 1), 2)


@pytest.fixture
def saved(store, network):
    return save_bundle(store, replace(bundle_of(), metrics={"accuracy": 0.5}, history=({"epoch": 1},)), network)


def change(store, bundle, **values):
    key = f"models/{bundle.id}/bundle.json"
    document = {**store.read_json(key), **values}
    store.write_json(key, {name: value for name, value in document.items() if value is not None})


def test_a_model_returns_whole(store, network, saved):
    for where in (saved.id, f"{store.root}/models/{saved.id}", f"{store.root}/models/{saved.id}/bundle.json"):
        again = load_bundle(where, store)
        assert again.to_document() == saved.to_document()
        assert (again.phases, again.metrics, again.seed) == (("a", "b"), {"accuracy": 0.5}, 0)
        np.testing.assert_array_equal(again.q_axis, Q)
    profiles = np.random.default_rng(0).random((4, len(Q), 1), np.float32)
    np.testing.assert_array_equal(
        np.asarray(again.model(profiles, training=False)), np.asarray(network(profiles, training=False))
    )
    assert list_models(store) == [saved.id]


def test_the_record_is_plain_json_with_the_lineage(store, saved):
    document = json.loads(store.read(f"models/{saved.id}/bundle.json"))
    lineage = {"phases", "q_axis_per_angstrom", "preprocessing", "sim_ids", "sim_fingerprints", "training", "seed"}
    assert lineage | {"split", "metrics", "history", "versions", "created", "model_sha256"} <= set(document)


def test_a_copied_folder_is_a_model_too(store, saved, tmp_path, monkeypatch):
    (Path(store.root.removeprefix("file://")) / "models" / saved.id).rename(tmp_path / "c%20opy #1")
    monkeypatch.chdir(tmp_path)
    for place in (tmp_path / "c%20opy #1", "c%20opy #1", (tmp_path / "c%20opy #1").as_uri()):
        assert load_bundle(place).model.output_shape == (None, 2)


def test_a_stopped_training_leaves_no_model(store, saved):
    store.delete(f"models/{saved.id}/bundle.json")
    with pytest.raises(MissingObjectError, match="no trained model here"):
        load_bundle(saved.id, store)


def test_a_changed_network_file_is_noticed(store, saved):
    key = f"models/{saved.id}/model.keras"
    store.write(key, store.read(key)[:-10] + b"0123456789")
    with pytest.raises(CorruptDataError, match="checksum"):
        _ = load_bundle(saved.id, store).model


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": 99}, "format 1, found 99"),
        ({"phases": None}, "no 'phases'"),
        ({"phases": "a"}, "list of texts"),
        ({"id": "../../etc"}, "id of a model"),
        ({"q_axis_per_angstrom": [0.3, 0.2]}, "increasing q axis"),
        ({"training": {"epoch": 3}}, "did you mean 'epochs'"),
    ],
)
def test_a_malformed_record_is_refused(store, saved, values, message):
    change(store, saved, **values)
    with pytest.raises(ModelError, match=message):
        load_bundle(saved.id, store)


def test_a_record_that_is_no_json_is_refused(store, saved):
    store.write(f"models/{saved.id}/bundle.json", b"{")
    with pytest.raises(CorruptDataError, match="not a JSON document"):
        load_bundle(saved.id, store)


def test_classes_must_fit_the_network(store, saved):
    change(store, saved, phases=["a", "b", "c"])
    with pytest.raises(ModelError, match=r"expected a network .*3\) as the record says"):
        _ = load_bundle(saved.id, store).model


def test_a_network_that_brings_code_is_refused(store, network):
    inputs = keras.Input((len(Q), 1))
    outputs = keras.layers.Dense(2)(keras.layers.Lambda(lambda values: values[..., 0])(inputs))
    save_bundle(store, bundle_of(), keras.Model(inputs, outputs))
    with pytest.raises(ModelError, match="Keras cannot load this network"):
        _ = load_bundle(bundle_of().id, store).model


@pytest.mark.parametrize("name", ["cnn-123", "sim-00000000-0000-4000-8000-000000000000"])
def test_another_name_finds_nothing(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((MissingObjectError, InputError)):
        load_bundle(name, open_store(tmp_path))
