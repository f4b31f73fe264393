"""Records and weights that somebody made on purpose, checksums and all: refused by our errors, nothing allocated."""

import json
import random
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from difsims_core.config.learning import TrainingSpec
from difsims_core.errors import DifsimsError, InputError, ModelError
from difsims_core.families import NETWORKS
from difsims_core.learn.backend import keras
from difsims_core.learn.bundle import describe_object, load_bundle, save_bundle
from difsims_core.learn.classifiers.base import Recipe
from difsims_core.learn.classifiers.keras_network import KerasNetwork
from difsims_core.learn.classifiers.restore import expected_weights, restore
from difsims_core.learn.networks import build_network, weights_of
from difsims_core.storage import layout
from difsims_core.storage.npz.members import write_members
from difsims_core.storage.objects import open_store
from difsims_core.storage.records import to_record
from tests.learn.test_bundle import EPOCH, change
from tests.learn.test_predict import Q, bundle_of

HUGE = 10**4000
HOSTILE = [
    None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, 2**53, HUGE, "", "a", "x" * 100_000, "\x1b[2J", "../../etc/passwd",
    "s3://other/bucket", "cnn-00000000-0000-4000-8000-000000000000", [], [[]], [None], ["a", "a"], {}, {"": {}},
    [1e308], {"a": None}, [HUGE, HUGE + 1], ["a"] * 2000,
]  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return open_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def good(store):
    network = build_network("large_filter", (len(Q), 1), 2)
    bundle = save_bundle(store, replace(bundle_of(), history=(EPOCH,)), KerasNetwork(network))
    return bundle, store.read_record(layout.model_record(bundle.id))


@pytest.fixture
def saved(store, good):
    bundle, document = good
    weights = store.read(f"models/{bundle.id}/weights.npz")
    yield bundle
    store.write(f"models/{bundle.id}/weights.npz", weights)
    store.write_record(layout.model_record(bundle.id), document)


def put_weights(store, bundle, arrays):
    """Write weights with a record that knows their checksum."""
    data = write_members(store.url(f"models/{bundle.id}/weights.npz"), arrays)
    change(store, bundle, objects={"weights.npz": describe_object(data).model_dump()})


def arrays_of(bundle):
    return dict(zip((w.name for w in bundle.weights), bundle.classifier.network.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": 99}, "format: .* 3, .* 99"),
        ({"phases": None}, "phases"),
        ({"phases": "a"}, "phases: .*'a'"),
        ({"phases": ["a", "a"]}, "phases: "),
        ({"phases": ["b", "a"]}, "confusion"),
        ({"phases": ["a", "b\nc"]}, r"phases.*b\\nc"),
        ({"id": "../../etc"}, r"\bid: .*'\.\./\.\./etc'"),
        ({"sim_ids": ["s3://other/sim"]}, r"sim_ids\.0: .*'s3://other/sim'"),
        ({"q_axis_per_angstrom": [0.3, 0.2]}, "increasing q axis"),
        ({"q_axis_per_angstrom": ["0.1", "0.2"]}, r"q_axis_per_angstrom\.0: .*'0\.1'"),
        ({"training": {"epoch": 3}}, "'epochs'"),
        ({"metrics": {"accuracy": 0.5}}, "metrics.n"),
        ({"created": "2026-01-01T00:00:00"}, "created: .*2026-01-01T00:00:00"),
        ({"kind": "nearest_mean"}, "keras_network"),
        ({"input_shape": [60]}, "input_shape"),
        ({"input_shape": [61, 10**9]}, "input_shape"),
        ({"objects": {"../weights.npz": {"size": 1, "sha256": "0" * 64}}}, r"objects.*\.\./weights\.npz"),
        ({"objects": {}}, r"weights\.npz"),
        ({"more": 1}, r"\bmore\b"),
    ],
)
def test_a_malformed_record_is_refused(store, saved, values, message):
    change(store, saved, **values)
    with pytest.raises(ModelError, match=message):
        load_bundle(saved.id, store)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"training": {"network": "pickle"}}, "'pickle'"),
        ({"training": {"network_parameters": {"filters": 10**6}}}, "large_filter .*'filters'"),
        ({"phases": ["a", "b", "c"]}, "large_filter"),
        ({"weights": [{"name": "00_kernel", "shape": [6, 1, 64], "dtype": "float32"}]}, "large_filter.* 10 .* 1;"),
        (
            {"q_axis_per_angstrom": [float(i) for i in range(100_000)], "phases": [str(i) for i in range(1000)]},
            r" \d[\d,]{8,} .* \d[\d,]{8,} ",
        ),
    ],
)
def test_another_network_than_the_records_is_refused(store, saved, values, message):
    if phases := values.get("phases"):
        counts = [[0] * len(phases)] * len(phases)
        values = {**values, "input_shape": [len(values.get("q_axis_per_angstrom", Q))]}
        values = {**values, "metrics": {**saved.metrics, "confusion": {"class_names": phases, "counts": counts}}}
    change(store, saved, **values)
    with pytest.raises(ModelError, match=message):
        _ = load_bundle(saved.id, store).classifier


@pytest.mark.parametrize(
    ("alter", "message"),
    [
        (lambda a: {**a, "00_kernel": np.full_like(a["00_kernel"], np.nan)}, "00_kernel "),
        (lambda a: {**a, "01_bias": np.full_like(a["01_bias"], np.inf)}, "01_bias "),
        (lambda a: {**a, "00_kernel": a["00_kernel"].astype(np.float64)}, "found 00_bias|found 00_kernel|float64"),
        (lambda a: {**a, "00_kernel": a["00_kernel"][::2]}, r"00_kernel .*\(6, 1, 64\)"),
        (lambda a: {**a, "00_kernel": a["00_kernel"].reshape(64, 1, 6)}, r"00_kernel .*\(6, 1, 64\)"),
        (lambda a: {name: a[name] for name in list(a)[1:]}, " 10 "),
        (lambda a: {**a, "more": np.zeros(3)}, " 10 "),
        (lambda a: {**a, "00_kernel": np.zeros((300, 1, 64))}, r"00_kernel .*\(6, 1, 64\)"),
        (lambda a: {**a, "00_kernel": np.zeros(2**21)}, "holds '00_kernel.npy' of 16,777,344 bytes"),
        (lambda a: a | {f"more_{i}": np.zeros(1) for i in range(200)}, " 210 "),
        (lambda a: {name: value * np.float32(1e30) for name, value in a.items()}, r" 2 .*\(\d+, 2\)"),
    ],
)
def test_weights_of_another_form_are_refused(store, saved, alter, message):
    put_weights(store, saved, alter(arrays_of(load_bundle(saved.id, store))))
    with pytest.raises(ModelError, match=message):
        _ = load_bundle(saved.id, store).classifier


def test_a_file_that_holds_an_array_twice_is_refused(store, saved, tmp_path):
    data = store.read(f"models/{saved.id}/weights.npz")
    (tmp_path / "w.npz").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "w.npz") as archive:
        first = archive.infolist()[0].filename
        again = archive.read(first)
    with zipfile.ZipFile(tmp_path / "w.npz", "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(first, again)
    with pytest.raises(ModelError, match=r"w\.npz: .* 10 "):
        restore((tmp_path / "w.npz").read_bytes(), saved.recipe, saved.weights, "w.npz")


def test_whatever_is_in_a_record_only_our_errors_come_of_it(store, saved, good):
    """Every value of the record by every hostile one, and many at once."""
    document = good[1]
    key, rng = layout.model_record(saved.id), random.Random(0)  # noqa: S311
    places = list(_places(document))
    for place in rng.sample(places, 60):
        for value in HOSTILE:
            _put(store, key, _with(document, place, value))
            _our_error_or_a_bundle(store, saved.id)
    for _ in range(300):
        damaged = document
        for place in rng.sample(places, rng.randint(1, 4)):
            damaged = _with(damaged, place, rng.choice(HOSTILE))
        _put(store, key, damaged)
        _our_error_or_a_bundle(store, saved.id)


def test_whatever_bytes_a_record_has_only_our_errors_come_of_it(store, saved, good):
    key, rng = layout.model_record(saved.id), random.Random(1)  # noqa: S311
    data = to_record(good[1])
    for _ in range(300):
        damaged = bytearray(data)
        for _ in range(rng.randint(1, 8)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        store.write(key, bytes(damaged[: rng.choice([len(damaged), rng.randrange(len(damaged))])]))
        with pytest.raises(DifsimsError):
            load_bundle(saved.id, store)


def test_a_network_is_counted_before_it_is_built(monkeypatch):
    def vast(input_shape, n_classes, *, width=4):
        inputs = keras.Input(input_shape)
        hidden = keras.layers.Dense(width)(keras.layers.Flatten()(inputs))
        return keras.Model(inputs, keras.layers.Dense(n_classes, activation="softmax")(hidden))

    def recipe_of(parameters):
        return Recipe(TrainingSpec().model_copy(update={"network": "vast", "network_parameters": parameters}), (50,), 2)

    monkeypatch.setitem(NETWORKS.loaded, "vast", vast)
    assert sum(np.prod(w.shape) for w in weights_of("vast", (50, 1), 2, {"width": 10**12})) > 5e13
    with pytest.raises(ModelError, match="53,000,000,000,002"):
        expected_weights(recipe_of({"width": 10**12}))
    assert build_network("vast", (50, 1), 2, width=3).count_params() == 161
    for bad, words in (
        ({"width": -1}, "cannot be built"),
        ({"width": "x"}, "cannot be built"),
        ({"width": None}, "a number or a short text"),
        ({"width": HUGE}, "a number or a short text"),
        ({"input_shape": 1}, "no parameter 'input_shape' .parameters here: width"),
    ):
        with pytest.raises(InputError, match=words):
            expected_weights(recipe_of(bad))


def test_what_gives_no_probabilities_is_neither_stored_nor_used(store, monkeypatch):
    def raw(input_shape, n_classes):
        inputs = keras.Input(input_shape)
        return keras.Model(inputs, keras.layers.Dense(n_classes)(keras.layers.Flatten()(inputs)))

    monkeypatch.setitem(NETWORKS.loaded, "raw", raw)
    bundle = bundle_of()
    bundle = replace(bundle, id=layout.new_model_id(), training=bundle.training.model_copy(update={"network": "raw"}))
    with pytest.raises(ModelError, match=rf"{bundle.id}.* 2 .*\(\d+, 2\)"):
        save_bundle(store, bundle, KerasNetwork(raw((len(Q), 1), 2)))
    assert not store.exists(layout.model_record(bundle.id))


def test_an_own_network_and_its_parameters_come_back(store, monkeypatch):
    def narrow(input_shape, n_classes, *, filters=4):
        inputs = keras.Input(input_shape)
        hidden = keras.layers.GlobalMaxPooling1D()(keras.layers.Conv1D(filters, 3)(inputs))
        return keras.Model(inputs, keras.layers.Dense(n_classes, activation="softmax")(hidden))

    monkeypatch.setitem(NETWORKS.loaded, "narrow", narrow)
    bundle = bundle_of()
    training = TrainingSpec(network="narrow", network_parameters={"filters": 7})
    bundle = replace(bundle, id=layout.new_model_id(), training=training)
    network = build_network("narrow", (len(Q), 1), 2, filters=7)
    again = save_bundle(store, bundle, KerasNetwork(network))
    assert again.training.network_parameters == {"filters": 7}
    for one, other in zip(again.classifier.network.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    change(store, again, training={**training.to_document(), "network_parameters": {"filters": 8}})
    with pytest.raises(ModelError, match=r"narrow, .*8.*7"):
        _ = load_bundle(again.id, store).classifier


def _our_error_or_a_bundle(store, name):
    try:
        bundle = load_bundle(name, store)
    except DifsimsError:
        return
    assert bundle.to_document()
    assert bundle.seed >= 0
    assert 0 <= bundle.metrics["accuracy"] <= 1


def _put(store, key, document):
    try:
        store.write_record(key, document)
    except ValueError:
        text = json.dumps(document)  # what this version would not write
        store.write(key, text.encode(errors="surrogatepass"))


def _places(value, place=()):
    if place:
        yield place
    if isinstance(value, dict | list):
        keys = value if isinstance(value, dict) else range(min(len(value), 3))
        for key in keys:
            yield from _places(value[key], (*place, key))


def _with(document, place, value):
    copy = json.loads(json.dumps(document))
    parent = copy
    for key in place[:-1]:
        try:
            parent = parent[key]
        except (KeyError, IndexError, TypeError):
            return copy
    if isinstance(parent, dict | list):
        try:
            parent[place[-1]] = value
        except (IndexError, TypeError):
            return copy
    return copy
