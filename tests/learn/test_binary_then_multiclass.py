"""The first phase against all others, then the others: trained, stored, loaded, used; also where it was killed."""

from __future__ import annotations

import numpy as np
import pytest

from difsims_core.config.documents import make_spec
from difsims_core.config.learning import TrainingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.learn.bundle import load_bundle
from difsims_core.learn.classifiers.base import Recipe
from difsims_core.learn.classifiers.binary_then_multiclass import BinaryThenMulticlass, BinaryThenMulticlassSpec
from difsims_core.learn.data.split import Part
from difsims_core.learn.data.streams import ClassGroups
from difsims_core.learn.data.training_data import load_training_data
from difsims_core.learn.fitting.saved_training import SavedTraining
from difsims_core.learn.train import run_training
from difsims_core.learn.verify import verify_model
from difsims_core.storage.objects import open_store
from tests.fake_datasets import build_fake
from tests.learn.test_fitting import Killed, kill_after, stream_of

SPEC = BinaryThenMulticlassSpec(epochs=3, patience=3, batch_size=32, seed=4, learning_rate=0.003)


def test_its_document_is_that_of_its_networks():
    spec = make_spec({"kind": "binary_then_multiclass", "epochs": 5, "schedule": "cosine"}, TrainingSpec)
    assert spec == BinaryThenMulticlassSpec(epochs=5, schedule="cosine")
    assert spec.of_network() == TrainingSpec(epochs=5, schedule="cosine")
    assert spec.most_epochs == 10


def test_classes_by_other_numbers():
    groups = ClassGroups(np.array([-1, 0, 1, 1]))
    assert groups.keeps(np.array([0, 3, 1])).tolist() == [False, True, True]
    assert groups.labels(np.array([3, 1, 2])).tolist() == [1, 0, 1]
    rows = groups.labels(np.array([[0.2, 0.4, 0.1, 0.3], [0, 1, 0, 0]], np.float32))
    np.testing.assert_allclose(rows, [[0.5, 0.5], [1, 0]])


@pytest.mark.parametrize("of", [[0, 1, 1], [-1, 0, 1]])
def test_a_stream_of_some_classes(of):
    whole = stream_of(SPEC)
    groups = ClassGroups(np.array(of))
    some = whole.regrouped(groups)
    for part in Part:
        x, y = (np.concatenate(arrays) for arrays in zip(*whole.batches(part), strict=True))
        kept = groups.keeps(y)
        assert some.count(part) == kept.sum()
        assert some.class_counts(part).tolist() == np.bincount(groups.of[y[kept]]).tolist()
        mine, labels = (np.concatenate(arrays) for arrays in zip(*some.batches(part), strict=True))
        np.testing.assert_array_equal(mine, x[kept])
        np.testing.assert_array_equal(labels, groups.of[y[kept]])
        assert len(list(some.batches(part, 2))) == some.n_batches(part)


@pytest.mark.parametrize("soft", [False, True])
def test_it_learns_and_its_probabilities_multiply(soft):
    spec, seen = SPEC.model_copy(update={"soft_labels": soft, "epochs": 8}), []
    stream = stream_of(spec)
    recipe = Recipe(spec, stream.input_shape, 3)
    fitted = BinaryThenMulticlass.fit(stream, recipe, seen.append)
    x, y = (np.concatenate(arrays) for arrays in zip(*stream.batches(Part.TEST), strict=True))
    found = fitted.classifier.predict(x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert (found.argmax(axis=1) == y).mean() > 0.9
    assert [one["epoch"] for one in fitted.history] == list(range(1, len(fitted.history) + 1))
    assert [(one.epoch, one.epochs) for one in seen] == [(one["epoch"], 16) for one in fitted.history]
    binary, others = (fitted.classifier.networks[name].predict(x) for name in ("binary", "multiclass"))
    np.testing.assert_allclose(found[:, 2], binary[:, 1] * others[:, 1], rtol=1e-6)


def test_a_killed_one_goes_on_in_the_network_where_it_was(tmp_path):
    stream = stream_of(SPEC)
    recipe, saved = Recipe(SPEC, stream.input_shape, 3), SavedTraining(open_store(tmp_path), "b" * 64)
    whole = BinaryThenMulticlass.fit(stream, recipe)
    for epoch in (2, 5):
        with pytest.raises(Killed):
            BinaryThenMulticlass.fit(stream, recipe, kill_after(epoch), saved)
    seen = []
    again = BinaryThenMulticlass.fit(stream, recipe, seen.append, saved)
    assert [one.epoch for one in seen] == [6]
    for one, other in zip(whole.classifier.save().values(), again.classifier.save().values(), strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("phases", [["pbi2_2h", "gratia_2h", "pb"], ["pbi2_2h", "pb"]])
def test_it_is_stored_and_loaded(phases, tmp_path):
    store = open_store(tmp_path)
    document = {"n_patterns": 300, "phases": phases, "output": {"x_all": False}}
    simulation = build_fake(store, SimulationSpec.model_validate(document))
    bundle = run_training(store, [simulation.id], SPEC).bundle
    again = load_bundle(bundle.id, store)
    assert verify_model(store, bundle.id).ok
    assert set(again.classifier.networks) == ({"binary", "multiclass"} if len(phases) > 2 else {"binary"})
    x, _ = next(load_training_data([simulation], SPEC).stream.batches(Part.TEST))
    assert again.classifier.predict(x).shape == (len(x), len(phases))
    assert "tensorboard" in " ".join(again.objects)
