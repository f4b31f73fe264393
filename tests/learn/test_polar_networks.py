"""What the networks of polar patterns owe to how they are built, and how patterns reach them."""

from __future__ import annotations

import numpy as np
import pytest

from difsims_core.config.learning import TrainingSpec
from difsims_core.errors import ModelError, SpecError
from difsims_core.families import POLAR_NETWORKS
from difsims_core.learn.backend import keras
from difsims_core.learn.classifiers.base import input_of
from difsims_core.learn.classifiers.keras_network import KerasNetwork
from difsims_core.learn.networks import build_network
from difsims_core.signal.amplitudes import ring_amplitudes

SHAPE = (74, 72)
BY_SECTORS = {"polar_harmonics": 1}  # the others pool four sectors


@pytest.fixture(params=POLAR_NETWORKS.names())
def network(request):
    keras.utils.set_random_seed(2)
    return build_network(request.param, (*SHAPE, 1), 3)


def patterns(n=4):
    return np.random.default_rng(5).gamma(0.3, size=(n, *SHAPE)).astype(np.float32)


def test_a_turned_or_mirrored_specimen_gets_the_same_answer(network):
    x = patterns()
    found = KerasNetwork(network).predict(x)
    step = BY_SECTORS.get(network.name, 4)
    for turns in (1, 5, 11):
        np.testing.assert_allclose(
            KerasNetwork(network).predict(np.roll(x, turns * step, axis=2)), found, rtol=1e-4, atol=1e-6
        )
    np.testing.assert_allclose(KerasNetwork(network).predict(x[:, :, ::-1]), found, rtol=1e-4, atol=1e-6)
    assert np.abs(KerasNetwork(network).predict(x[:, ::-1]) - found).max() > 1e-3


def test_it_takes_amplitudes(network):
    x = patterns()
    direct = np.asarray(network(ring_amplitudes(x)[..., None], training=False))
    rings = np.linspace(3, 0, SHAPE[0], dtype=np.float32)[:, None]
    np.testing.assert_allclose(KerasNetwork(network).predict(x), direct, atol=1e-6)
    np.testing.assert_allclose(KerasNetwork(network).predict(50 * x + rings), direct, atol=1e-3)


def test_it_has_at_most_two_million_weights(network):
    assert network.count_params() <= 2_000_000


def test_its_file_is_that_of_keras(network, tmp_path):
    KerasNetwork(network).export(tmp_path / "network.keras")
    again = keras.models.load_model(tmp_path / "network.keras")
    np.testing.assert_array_equal(KerasNetwork(again).predict(patterns()), KerasNetwork(network).predict(patterns()))


@pytest.mark.parametrize("shape", [(147, 1), (74, 72, 2), (1, 72, 1), (74, 8, 1)])
@pytest.mark.parametrize("name", POLAR_NETWORKS.names())
def test_other_patterns_are_refused(name, shape):
    with pytest.raises(ModelError, match=name):
        build_network(name, shape, 3)


def test_the_name_tells_what_is_taken():
    for name in POLAR_NETWORKS.names():
        found = input_of(TrainingSpec(network=name))
        assert (found.kind, found.array) == ("polar", "polar/x")
    assert input_of(TrainingSpec()).kind == "profile"
    with pytest.raises((SpecError, ValueError), match=r"did you mean .polar_harmonics.*large_filter"):
        TrainingSpec(network="polar_harmonic")
