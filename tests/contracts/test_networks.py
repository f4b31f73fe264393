"""What every registered network must do."""

import numpy as np
import pytest

from difsims_core.config.learning import TrainingSpec
from difsims_core.errors import InputError, ModelError
from difsims_core.families import NETWORKS, POLAR_NETWORKS
from difsims_core.learn.backend import keras
from difsims_core.learn.classifiers.base import Recipe
from difsims_core.learn.classifiers.keras_network import KerasNetwork
from difsims_core.learn.classifiers.restore import expected_weights, restore, weights_to_store
from difsims_core.learn.networks import build_network
from difsims_core.learn.weights import describe
from difsims_core.storage.npz.members import write_members

pytestmark = pytest.mark.parametrize("name", [*NETWORKS.names(), *POLAR_NETWORKS.names()])


def shape_of(name, n_q=147):
    return (n_q // 2, 72) if name in POLAR_NETWORKS else (n_q,)


def patterns_of(name, n, seed, n_q=147):
    return np.random.default_rng(seed).random((n, *shape_of(name, n_q), 1), np.float32)


@pytest.mark.parametrize(("n_q", "n_classes"), [(147, 3), (80, 2), (200, 13)])
def test_outputs_are_probabilities(name, n_q, n_classes):
    shape = (*shape_of(name, n_q), 1)
    network = build_network(name, shape, n_classes)
    outputs = np.asarray(network(patterns_of(name, 5, 0, n_q), training=False))
    assert outputs.dtype == np.float32
    assert outputs.shape == (5, n_classes)
    assert (outputs >= 0).all()
    np.testing.assert_allclose(outputs.sum(axis=1), 1, atol=1e-6)
    assert (network.input_shape, network.output_shape) == ((None, *shape), (None, n_classes))


def test_a_pattern_is_judged_alone(name):
    network = build_network(name, (*shape_of(name), 1), 3)
    patterns = patterns_of(name, 6, 1)
    together = np.asarray(network(patterns, training=False))
    np.testing.assert_allclose(np.asarray(network(patterns[2:3], training=False))[0], together[2], atol=1e-6)
    assert np.ptp(together, axis=0).min() > 0


def test_the_seed_decides_the_weights(name):
    weights = []
    for seed in (4, 4, 5):
        keras.utils.set_random_seed(seed)
        weights.append(np.concatenate([w.ravel() for w in build_network(name, (*shape_of(name), 1), 3).get_weights()]))
    np.testing.assert_array_equal(weights[0], weights[1])
    assert np.any(weights[0] != weights[2])


def test_it_comes_back_from_its_name_and_its_weights(name, tmp_path):
    recipe = Recipe(TrainingSpec(network=name), shape_of(name), 3)
    network = build_network(name, (*shape_of(name), 1), 3)
    weights = weights_to_store(KerasNetwork(network), recipe, "a new network")
    assert describe(weights) == expected_weights(recipe)
    data = write_members(tmp_path / "weights.npz", weights)
    again = restore(data, recipe, expected_weights(recipe), "weights.npz")
    patterns = patterns_of(name, 4, 2)[..., 0]
    np.testing.assert_array_equal(again.predict(patterns), KerasNetwork(network).predict(patterns))


def test_every_weight_is_trained(name):
    network = build_network(name, (*shape_of(name), 1), 3)
    before = network.get_weights()
    network.compile("adam", "sparse_categorical_crossentropy")
    network.train_on_batch(patterns_of(name, 64, 3), np.random.default_rng(3).integers(0, 3, 64))
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
