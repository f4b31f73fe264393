"""What every kind of classifier must do, from a dataset to what it says after it was stored."""

import numpy as np
import pytest

from difsims_core.config.documents import make_spec
from difsims_core.config.learning import TrainingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.errors import DifsimsError
from difsims_core.families import CLASSIFIERS
from difsims_core.learn.bundle import load_bundle
from difsims_core.learn.predict import predict_profiles
from difsims_core.learn.train import run_training
from difsims_core.learn.verify import verify_model
from difsims_core.simulation.simulator import simulate
from difsims_core.storage.objects import open_store

SIMULATED = {
    "n_patterns": 300,
    "seed": 3,
    "phases": ["pb", "gratia_2h", "pbi2_2h"],
    "diffraction": {"thickness_angstrom": 100},
    "output": {"x_all": False, "polar": {}},
}
MATCHED = {"resolution_deg": 3, "thicknesses": 1, "lattice_scales": 1, "calibrate_on": 60}
OF_KIND = {
    "binary_then_multiclass": {"epochs": 1},
    "ensemble": {"members": [{"epochs": 1}, {"kind": "nnls", **MATCHED}]},
    "keras_network": {"network": "polar_harmonics", "epochs": 1},
    "nnls": MATCHED,
    "profile_matching": MATCHED,
    "templates": MATCHED,
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return open_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def dataset(store):
    return run_simulation(store, SimulationSpec.model_validate(SIMULATED)).id


@pytest.fixture(scope="module", params=OF_KIND)
def bundle(request, store, dataset):
    training = make_spec({"kind": request.param, "batch_size": 100, "seed": 4} | OF_KIND[request.param], TrainingSpec)
    return run_training(store, [dataset], training).bundle


@pytest.fixture(scope="module")
def patterns(bundle):
    unseen = simulate(SimulationSpec.model_validate(SIMULATED | {"n_patterns": 40, "seed": 99}), 0, 40)
    return np.asarray(unseen.polar if bundle.input.kind == "polar" else unseen.x_px, np.float32)


def test_every_kind_is_here():
    assert set(OF_KIND) == set(CLASSIFIERS.names())


def test_it_gives_probabilities_one_pattern_at_a_time(bundle, patterns):
    found = bundle.classifier.predict(patterns)
    assert (found.shape, found.dtype) == ((40, 3), np.float32)
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(bundle.classifier.predict(patterns[7:9]), found[7:9], atol=1e-5)
    assert bundle.classifier.predict(patterns[:0]).shape == (0, 3)
    answer = bundle.classifier.answer(patterns)
    np.testing.assert_array_equal(answer.probabilities, found)
    if answer.fractions is not None:
        assert ((answer.fractions >= 0) & (answer.fractions <= 1)).all()
    if answer.orientation is not None:
        np.testing.assert_allclose(np.linalg.norm(answer.orientation, axis=1), 1, atol=1e-9)


def test_it_says_the_same_after_it_was_stored(store, bundle, patterns):
    again = load_bundle(bundle.id, store)
    assert verify_model(store, bundle.id).ok
    np.testing.assert_array_equal(again.classifier.predict(patterns), bundle.classifier.predict(patterns))


def test_it_is_trained_again_to_the_same_weights(tmp_path, bundle, store, dataset):
    other = run_training(open_store(tmp_path), [store.url(f"simulations/{dataset}.zarr")], bundle.training).bundle
    for name, values in bundle.classifier.save().items():
        np.testing.assert_array_equal(other.classifier.save()[name], values)


def test_patterns_of_the_other_kind_are_refused(bundle):
    n_q, shape = len(bundle.q_axis), bundle.input_shape
    other = (n_q,) if len(shape) == 2 else (n_q, 72)
    with pytest.raises(DifsimsError):
        predict_profiles(bundle, np.ones((2, 2, *other), np.float32), bundle.q_axis)
