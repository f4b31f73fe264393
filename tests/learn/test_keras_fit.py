"""Training on small data; the network is the real one on short profiles."""

import gc
import random
import threading
import weakref

import numpy as np
import pytest

from difsims_core.config.learning import TrainingSpec
from difsims_core.errors import InputError, ModelError, StoreError
from difsims_core.learn.backend import keras
from difsims_core.learn.classifiers import keras_fit
from difsims_core.learn.classifiers.keras_fit import fit_network
from difsims_core.learn.data.pattern_stream import PatternSource, PatternStream
from difsims_core.learn.data.split import Part
from difsims_core.learn.data.tf_dataset import BatchFeed

N_Q = 48


def stream_of(spec, n=600, *, learnable=True, y=None, x=None):
    rng = np.random.default_rng(0)
    labels = (np.arange(n) % 3).astype(np.uint8) if y is None else y
    profiles = rng.random((n, N_Q), np.float32)
    if learnable:
        profiles[np.arange(n), 5 + 15 * labels.astype(int)] += 3
    data = PatternSource("sim", profiles if x is None else x(profiles), labels, n, np.arange(3))
    return PatternStream((data,), spec.held_out_fraction, spec.seed, spec.batch_size)


def weights_of(network):
    return np.concatenate([weight.ravel() for weight in network.get_weights()])


def test_same_seed_and_data_give_the_same_weights():
    spec = TrainingSpec(epochs=2, seed=3)
    seen = []
    first, history = fit_network(stream_of(spec), 3, spec, seen.append)
    np.random.default_rng(9).random(5)
    again, _ = fit_network(stream_of(spec), 3, spec)
    np.testing.assert_array_equal(weights_of(first), weights_of(again))
    other, _ = fit_network(stream_of(spec), 3, spec.model_copy(update={"seed": 4}))
    assert np.any(weights_of(first) != weights_of(other))

    assert [(p.epoch, p.epochs) for p in seen] == [(1, 2), (2, 2)]
    assert seen[1].loss < seen[0].loss
    assert seen[1].samples_per_second > 0
    assert [epoch["val_loss"] for epoch in history] == [p.val_loss for p in seen]


def test_what_other_threads_draw_changes_no_weights(monkeypatch):
    def drawing(*arguments, **keywords):
        thread = threading.Thread(target=random.random)  # as a heartbeat would, between seed and weights
        thread.start()
        thread.join()
        return build(*arguments, **keywords)

    build = keras_fit.build_chosen
    spec = TrainingSpec(epochs=1, seed=3)
    alone, _ = fit_network(stream_of(spec), 3, spec)
    monkeypatch.setattr(keras_fit, "build_chosen", drawing)
    beside, _ = fit_network(stream_of(spec), 3, spec)
    np.testing.assert_array_equal(weights_of(alone), weights_of(beside))


def test_noise_stops_early_with_the_best_weights():
    spec = TrainingSpec(epochs=40, patience=2, learning_rate=0.003)
    noise = stream_of(spec, learnable=False)
    network, history = fit_network(noise, 3, spec)
    losses = [epoch["val_loss"] for epoch in history]
    assert len(losses) < 40
    assert int(np.argmin(losses)) == len(losses) - 1 - spec.patience
    x, y = (np.concatenate(arrays) for arrays in zip(*noise.batches(Part.VALIDATION), strict=True))
    probabilities = np.asarray(network(x[..., None], training=False))
    loss = -np.log(probabilities[np.arange(len(y)), y]).mean()
    assert loss == pytest.approx(min(losses), rel=1e-4)


def test_class_weights_lift_a_rare_class():
    rare = np.where(np.arange(600) % 12 == 0, 1, 0).astype(np.uint8)  # indistinguishable from the common one
    spec = TrainingSpec(epochs=1, seed=1)
    confidence = []
    for weighted in (False, True):
        spec = spec.model_copy(update={"class_weights": weighted})
        stream = stream_of(spec, learnable=False, y=rare)
        stream = PatternStream(
            (PatternSource("sim", stream.sources[0].x, rare, 600, np.arange(2)),), 0.25, spec.seed, spec.batch_size
        )
        network, _ = fit_network(stream, 2, spec)
        confidence.append(np.asarray(network(stream.sources[0].x[:100, :, None], training=False))[:, 1].mean())
    assert confidence[0] < 0.3
    assert confidence[1] > 0.35


def test_a_training_lets_go_of_its_patterns():
    spec = TrainingSpec(epochs=1)
    stream = stream_of(spec)
    patterns = weakref.ref(stream.sources[0].x)
    fit_network(stream, 3, spec)
    del stream
    gc.collect()
    assert patterns() is None


def test_pipelines_have_no_tuning_thread_that_delays_their_end():
    feed = BatchFeed(stream_of(TrainingSpec()))
    for pipeline in (feed.training(), feed.validation()):
        assert pipeline.options().autotune.enabled is False


def test_class_weights_need_patterns_of_every_class():
    spec = TrainingSpec(class_weights=True)
    with pytest.raises(InputError, match="class 2 "):
        fit_network(stream_of(spec, y=(np.arange(600) % 2).astype(np.uint8)), 3, spec)


def test_an_error_of_the_store_comes_out_as_itself():
    class Failing:
        chunks = (100, N_Q)

        def __init__(self, profiles):
            self.profiles, self.shape = profiles, profiles.shape

        def __getitem__(self, rows):
            raise StoreError("s3://bucket: connection reset")

    spec = TrainingSpec(epochs=1)
    with pytest.raises(StoreError, match="connection reset"):
        fit_network(stream_of(spec, x=Failing), 3, spec)


def test_a_diverging_training_is_an_error():
    spec = TrainingSpec(epochs=3)
    with pytest.raises(ModelError, match=r" nan.*learning_rate"):
        fit_network(stream_of(spec, x=lambda profiles: np.full_like(profiles, np.nan)), 3, spec)


def test_bfloat16_leaves_a_float32_network_and_no_trace():
    spec = TrainingSpec(epochs=2, precision="bfloat16")
    network, history = fit_network(stream_of(spec), 3, spec)
    assert {weight.dtype for weight in network.get_weights()} == {np.dtype(np.float32)}
    assert {layer.dtype_policy.name for layer in network.layers} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    assert history[-1]["loss"] < history[0]["loss"]
