"""Models of the earlier form, files of Keras, become models of today by their owner's command alone."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from difsims_core.errors import CorruptDataError, MissingObjectError, ModelError
from difsims_core.learn import convert as module
from difsims_core.learn.backend import keras
from difsims_core.learn.bundle import load_bundle, save_bundle
from difsims_core.learn.classifiers.keras_network import KerasNetwork
from difsims_core.learn.convert import convert_model
from difsims_core.learn.networks import build_network
from difsims_core.learn.trained_index import find_indexed
from difsims_core.learn.verify import verify_model
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from tests.learn.test_bundle import EPOCH
from tests.learn.test_predict import Q, bundle_of

MODEL = bundle_of().id
FOLDER, RECORD = layout.model(MODEL), layout.model_record(MODEL)
INDEX = layout.model_index("1" * 64)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(3)
    return build_network("large_filter", (len(Q), 1), 2)


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.fixture
def earlier(store, network, tmp_path):
    return put_earlier(store, network, tmp_path)


def put_earlier(store, network, tmp_path):
    """Write a model as earlier versions did: a file of Keras, and a record and an index without checksums."""
    network.save(tmp_path / "model.keras")
    data = (tmp_path / "model.keras").read_bytes()
    document = bundle_of().to_document() | {"format": 1, "seed": 0, "history": [EPOCH]}
    for name in ("kind", "input_shape", "weights", "objects"):
        del document[name]
    document["model_sha256"] = hashlib.sha256(data).hexdigest()
    store.write(f"{FOLDER}/model.keras", data)
    store.write(f"{FOLDER}/tensorboard/train/events", b"curves")
    store.write(RECORD, json.dumps(document).encode())
    store.write(INDEX, json.dumps({"id": MODEL, "created": "2026-01-01T00:00:00+00:00"}).encode())
    return document


def rewrite(store, document, **values):
    store.write(RECORD, json.dumps(document | values).encode())


def test_a_model_is_brought_over_whole(store, earlier, network):
    with pytest.raises(CorruptDataError, match=r"bundle\.json.*`difsims convert"):
        load_bundle(MODEL, store)
    assert find_indexed(store, "1" * 64) is None
    convert_model(store, MODEL)
    bundle = load_bundle(MODEL, store)
    for one, other in zip(bundle.classifier.network.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert bundle.history == (EPOCH,)
    assert set(bundle.objects) == {"weights.npz", "tensorboard/train/events"}
    assert not store.exists(f"{FOLDER}/model.keras")
    assert find_indexed(store, "1" * 64).id == MODEL
    found = verify_model(store, MODEL)
    assert (found.failures, found.warnings) == ((), ())


def test_again_it_changes_nothing(store, earlier):
    assert convert_model(store, MODEL)
    before = {key: store.read(key) for key in store.list()}
    assert not convert_model(store, MODEL)
    assert {key: store.read(key) for key in store.list()} == before


@pytest.mark.parametrize("stopped_at", ["models/", "delete"])
def test_stopped_anywhere_it_goes_on(store, earlier, monkeypatch, stopped_at):
    def stop(*_arguments, **_keywords):
        raise KeyboardInterrupt

    place = {"models/": (module, "save_bundle"), "delete": (type(store), "delete")}[stopped_at]
    with monkeypatch.context() as patched:
        patched.setattr(*place, stop)
        with pytest.raises(KeyboardInterrupt):
            convert_model(store, MODEL)
    assert store.exists(f"{FOLDER}/model.keras")
    convert_model(store, MODEL)
    assert verify_model(store, MODEL).ok
    assert not store.exists(f"{FOLDER}/model.keras")


def test_a_file_of_another_checksum_is_never_read(store, earlier, monkeypatch):
    store.write(f"{FOLDER}/model.keras", store.read(f"{FOLDER}/model.keras") + b"1")
    monkeypatch.setattr(keras.saving, "load_model", lambda *_a, **_k: pytest.fail("read"))
    with pytest.raises(CorruptDataError, match=r"model\.keras: "):
        convert_model(store, MODEL)


def test_a_network_that_brings_code_is_refused(store, earlier, tmp_path):
    inputs = keras.Input((len(Q), 1))
    outputs = keras.layers.Dense(2)(keras.layers.Lambda(lambda values: values[..., 0])(inputs))
    document = put_earlier(store, keras.Model(inputs, outputs), tmp_path)
    with pytest.raises(ModelError, match=r"model\.keras: .*Lambda"):
        convert_model(store, MODEL)
    assert json.loads(store.read(RECORD)) == document


def test_a_network_with_the_same_weights_that_computes_something_else_is_refused(store, network, tmp_path):
    layers = [keras.layers.deserialize(keras.layers.serialize(layer)) for layer in network.layers]
    layers[0].activation = keras.activations.tanh
    other = keras.Sequential([keras.Input((len(Q), 1)), *layers])
    other.set_weights(network.get_weights())
    put_earlier(store, other, tmp_path)
    with pytest.raises(ModelError, match=r"model\.keras: .*large_filter"):
        convert_model(store, MODEL)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"phases": ["a", "b", "c"]}, "confusion"),
        ({"training": {"network": "another"}}, "'another'"),
        ({"id": "cnn-00000000-0000-4000-8000-000000000001"}, "cnn-00000000-0000-4000-8000-000000000001"),
        ({"format": 3}, "format"),
        ({"q_axis_per_angstrom": [*map(float, range(60))]}, "large_filter"),
    ],
)
def test_a_record_that_does_not_fit_is_refused_and_stays(store, earlier, values, message):
    rewrite(store, earlier, **values)
    before = store.read(RECORD)
    with pytest.raises(ModelError, match=message):
        convert_model(store, MODEL)
    assert store.read(RECORD) == before
    assert store.exists(f"{FOLDER}/model.keras")


def test_no_record_and_a_damaged_one(store, earlier):
    store.write(RECORD, b'{"format": NaN}')
    with pytest.raises(CorruptDataError, match="not a record"):
        convert_model(store, MODEL)
    store.delete(RECORD)
    with pytest.raises(MissingObjectError):
        convert_model(store, MODEL)


def test_an_index_that_names_another_model_stays(store, earlier):
    other = json.dumps({"id": layout.new_model_id()}).encode()
    store.write(INDEX, other)
    convert_model(store, MODEL)
    assert store.read(INDEX) == other


def test_an_index_that_names_a_model_of_another_fingerprint_is_not_used(store, network):
    bundle = save_bundle(store, bundle_of(), KerasNetwork(network))
    key, entry = layout.model_index("2" * 64), {"id": bundle.id, "created": bundle.created}
    store.write_record(key, entry | {"fingerprint": "2" * 64})
    assert find_indexed(store, "2" * 64) is None
    store.write_record(INDEX, entry | {"fingerprint": "2" * 64})  # copied over from elsewhere
    assert find_indexed(store, "1" * 64) is None
    store.write_record(INDEX, entry | {"fingerprint": "1" * 64})
    assert find_indexed(store, "1" * 64).id == bundle.id
    for planted in ({"id": 5}, {"id": ["x"]}, {"id": "../x"}, {"created": "today"}, {"more": 1}):
        store.write_record(INDEX, {**entry, "fingerprint": "1" * 64, **planted})
        assert find_indexed(store, "1" * 64) is None
    path = Path(store.url(INDEX).removeprefix("file://"))
    path.write_bytes(path.read_bytes().replace(b"../x", b"../y"))
    assert find_indexed(store, "1" * 64) is None
    assert not verify_model(store, bundle.id).ok
