"""What every registered network must do."""

import numpy as np
import pytest

from difsims_core.config.learning import TrainingSpec
from difsims_core.errors import InputError, ModelError
from difsims_core.families import NETWORKS
from difsims_core.learn.backend import keras
from difsims_core.learn.classifiers.base import Recipe
from difsims_core.learn.classifiers.keras_network import KerasNetwork
from difsims_core.learn.classifiers.restore import expected_weights, restore, weights_to_store
from difsims_core.learn.networks import build_network
from difsims_core.learn.weights import describe
from difsims_core.storage.npz.members import write_members

pytestmark = pytest.mark.parametrize("name", NETWORKS.names())


@pytest.mark.parametrize(("n_q", "n_classes"), [(147, 3), (80, 2), (200, 13)])
def test_outputs_are_probabilities(name, n_q, n_classes):
    network = build_network(name, (n_q, 1), n_classes)
    profiles = np.random.default_rng(0).random((5, n_q, 1), np.float32)
    outputs = np.asarray(network(profiles, training=False))
    assert outputs.dtype == np.float32
    assert outputs.shape == (5, n_classes)
    assert (outputs >= 0).all()
    np.testing.assert_allclose(outputs.sum(axis=1), 1, atol=1e-6)
    assert (network.input_shape, network.output_shape) == ((None, n_q, 1), (None, n_classes))


def test_a_profile_is_judged_alone(name):
    network = build_network(name, (147, 1), 3)
    profiles = np.random.default_rng(1).random((6, 147, 1), np.float32)
    together = np.asarray(network(profiles, training=False))
    np.testing.assert_allclose(np.asarray(network(profiles[2:3], training=False))[0], together[2], atol=1e-6)
    assert np.ptp(together, axis=0).min() > 0


def test_the_seed_decides_the_weights(name):
    weights = []
    for seed in (4, 4, 5):
        keras.utils.set_random_seed(seed)
        weights.append(np.concatenate([w.ravel() for w in build_network(name, (147, 1), 3).get_weights()]))
    np.testing.assert_array_equal(weights[0], weights[1])
    assert np.any(weights[0] != weights[2])


def test_it_comes_back_from_its_name_and_its_weights(name, tmp_path):
    recipe = Recipe(TrainingSpec(network=name), (147,), 3)
    network = build_network(name, (147, 1), 3)
    weights = weights_to_store(KerasNetwork(network), recipe, "a new network")
    assert describe(weights) == expected_weights(recipe)
    data = write_members(tmp_path / "weights.npz", weights)
    again = restore(data, recipe, expected_weights(recipe), "weights.npz")
    profiles = np.random.default_rng(2).random((4, 147), np.float32)
    np.testing.assert_array_equal(again.predict(profiles), KerasNetwork(network).predict(profiles))


def test_every_weight_is_trained(name):
    network = build_network(name, (147, 1), 3)
    before = network.get_weights()
    network.compile("adam", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(3)
    network.train_on_batch(rng.random((64, 147, 1), np.float32), rng.integers(0, 3, 64))
    assert all(np.any(old != new) for old, new in zip(before, network.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("shape", "n_classes", "message"),
    [
        ((147,), 3, r"\(147,\)"),
        ((0, 1), 3, r"\(0, 1\)"),
        ((147, 1), 1, " 2 .* 1"),
    ],
)
def test_impossible_shapes_are_refused(name, shape, n_classes, message):
    with pytest.raises(ModelError, match=message):
        build_network(name, shape, n_classes)


def test_an_unknown_name_lists_the_choices(name):
    with pytest.raises(InputError, match=f"'{name}'"):
        build_network(name[:-1], (147, 1), 3)
