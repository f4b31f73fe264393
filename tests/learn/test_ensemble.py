"""Several classifiers asked together: trained, stored, loaded, and what they say of how far they part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from difsims_core.config.classifiers.ensemble import EnsembleSpec
from difsims_core.config.documents import make_spec
from difsims_core.config.learning import TrainingSpec
from difsims_core.config.pipeline import PipelineSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.errors import InputError, SpecError
from difsims_core.families import CLASSIFIERS
from difsims_core.learn.bundle import load_bundle
from difsims_core.learn.classifiers.ensemble import Ensemble
from difsims_core.learn.data.split import Part
from difsims_core.learn.data.training_data import load_training_data
from difsims_core.learn.train import run_training
from difsims_core.learn.verify import verify_model
from difsims_core.storage.objects import open_store
from tests.fake_datasets import build_fake
from tests.learn.nearest_mean import NearestMean, NearestMeanSpec

SPEC = EnsembleSpec(members=(NearestMeanSpec(sharpness=2), NearestMeanSpec(sharpness=9), NearestMeanSpec(sharpness=40)))


@pytest.fixture(autouse=True)
def offered(monkeypatch):
    monkeypatch.setitem(CLASSIFIERS.loaded, "nearest_mean", NearestMean)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return open_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def simulation(store):
    spec = {"n_patterns": 400, "seed": 3, "phases": ["pbi2_2h", "gratia_2h", "pb"], "output": {"polar": {}}}
    return build_fake(store, SimulationSpec.model_validate(spec))


def test_its_document_holds_those_of_its_members():
    document = {"kind": "ensemble", "members": [{"seed": 1}, {"kind": "nearest_mean", "sharpness": 3}]}
    spec = make_spec({"training": document}, PipelineSpec)
    training: Any = spec.training
    assert training.members == (TrainingSpec(seed=1), NearestMeanSpec(sharpness=3))
    assert make_spec(spec.to_document(), PipelineSpec) == spec
    assert "members" in str(TrainingSpec.model_json_schema())
    assert spec.training.most_epochs == TrainingSpec().epochs + 1
    for members, words in (
        ([{"seed": 1}], "members"),
        ([{"seed": 1}, {"kind": "ensemble", "members": [{}, {}]}], "no ensembles"),
        ([{"seed": 1}, {"network": "large_filters"}], "large_filter"),
    ):
        with pytest.raises(SpecError, match=words):
            make_spec({"training": {"kind": "ensemble", "members": members}}, PipelineSpec)


def test_its_answer_is_the_mean_and_how_far_the_members_are_from_it(store, simulation):
    bundle = load_bundle(run_training(store, [simulation.id], SPEC).bundle.id, store)
    assert verify_model(store, bundle.id).ok
    assert bundle.training == SPEC
    patterns = np.asarray(simulation["1d/x_px"][:50])
    alone = np.stack(
        [run_training(store, [simulation.id], member).bundle.classifier.predict(patterns) for member in SPEC.members]
    )
    answer: Any = bundle.classifier.answer(patterns)
    np.testing.assert_allclose(answer.probabilities, alone.mean(axis=0), atol=1e-6)
    expected = np.abs(alone - alone.mean(axis=0)).sum(axis=2).mean(axis=0) / 2
    np.testing.assert_allclose(answer.disagreement, expected, atol=1e-6)
    assert 0 < answer.disagreement.max() < 1
    assert answer.orientation is answer.fractions is None


def test_sure_members_of_different_opinions_are_half_apart():
    class Sure:
        def __init__(self, row):
            self.row = np.array([row], np.float32)

        def answer(self, patterns):
            from difsims_core.learn.classifiers.base import Answer

            return Answer(np.repeat(self.row, len(patterns), axis=0))

    members: Any = (Sure([1, 0, 0]), Sure([0, 1, 0]))
    found: Any = Ensemble(members).answer(np.zeros((2, 9), np.float32))
    np.testing.assert_array_equal(found.probabilities, [[0.5, 0.5, 0]] * 2)
    np.testing.assert_array_equal(found.disagreement, 0.5)


def test_networks_are_trained_one_after_the_other(store, simulation):
    network = {"epochs": 1, "patience": 1}
    spec = make_spec({"kind": "ensemble", "members": [network, network | {"seed": 7}], "batch_size": 32}, TrainingSpec)
    seen = []
    bundle = run_training(store, [simulation.id], spec, progress=seen.append).bundle
    assert [(state.epoch, state.epochs) for state in seen] == [(1, 2), (2, 2)]
    assert [one["epoch"] for one in bundle.history] == [1, 2]
    assert "tensorflow" in bundle.versions
    classifier: Any = bundle.classifier
    first, second = classifier.members
    assert np.any(first.save()["00_kernel"] != second.save()["00_kernel"])
    data = load_training_data([simulation], spec)
    x, _ = next(iter(data.stream.batches(Part.TEST)))
    again = load_bundle(bundle.id, store).classifier
    np.testing.assert_array_equal(again.predict(x), bundle.classifier.predict(x))


def test_members_of_different_patterns_are_refused(store, simulation):
    spec = EnsembleSpec(members=(NearestMeanSpec(), NearestMeanSpec(takes="reduced")))
    with pytest.raises(InputError, match=r"1d/x_px.*polar/x"):
        run_training(store, [simulation.id], spec)
