"""Which models map every scan: what their training asked for, read from records alone."""

from dataclasses import replace

import pytest

from difsims_core.config.learning import TrainingSpec
from difsims_core.learn.bundle import load_bundle, save_bundle
from difsims_core.learn.classifiers.keras_network import KerasNetwork
from difsims_core.learn.data.training_data import training_fingerprint
from difsims_core.learn.networks import build_network
from difsims_core.learn.wanted import models_to_evaluate, request_evaluation
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from tests.learn.test_predict import Q, bundle_of


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.fixture(scope="module")
def network():
    return build_network("large_filter", (len(Q), 1), 2)


def put(store, network, created, **training):
    made = replace(bundle_of(), id=layout.new_model_id(), created=created, training=TrainingSpec(**training))
    return save_bundle(store, made, KerasNetwork(network))


def test_the_models_that_asked_for_it_are_listed_latest_first_without_their_weights(store, network):
    early = put(store, network, "2026-01-01T00:00:00+00:00")
    put(store, network, "2026-01-02T00:00:00+00:00", evaluate=False)
    late = put(store, network, "2026-01-03T00:00:00+02:00")
    damaged = put(store, network, "2026-01-04T00:00:00+00:00")
    store.write(layout.model_record(damaged.id), b"{")
    store.write(f"models/{layout.new_model_id()}/weights.npz", b"no record yet")
    store.delete(f"models/{late.id}/weights.npz")
    assert [bundle.id for bundle in models_to_evaluate(store)] == [late.id, early.id]


def test_asking_later_changes_the_record_alone(store, network):
    silent = put(store, network, "2026-01-01T00:00:00+00:00", evaluate=False)
    asked = request_evaluation(store, silent)
    assert asked.training.evaluate
    assert asked.to_document() == {
        **silent.to_document(),
        "training": {**silent.training.to_document(), "evaluate": True},
    }
    assert [bundle.id for bundle in models_to_evaluate(store)] == [silent.id]
    assert load_bundle(silent.id, store).classifier.network.output_shape == (None, 2)


def test_it_decides_no_weights():
    asked, silent = TrainingSpec(), TrainingSpec(evaluate=False)
    assert training_fingerprint(asked, ["0" * 64]) == training_fingerprint(silent, ["0" * 64])
