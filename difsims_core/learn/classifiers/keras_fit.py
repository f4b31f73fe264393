"""Fit a Keras network to streamed batches: early stopping, progress, and going on where it was stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from difsims_core.config.learning import NetworkTraining
from difsims_core.errors import InputError
from difsims_core.learn.backend import keras, make_deterministic, own_random_numbers, tf
from difsims_core.learn.classifiers.base import ProgressCallback
from difsims_core.learn.data.split import Part
from difsims_core.learn.data.streams import Stream
from difsims_core.learn.data.tf_dataset import BatchFeed
from difsims_core.learn.fitting.epochs import Epochs
from difsims_core.learn.fitting.optimiser import loss_of, optimiser_of, takes_rows
from difsims_core.learn.fitting.saved_training import SavedTraining
from difsims_core.learn.networks import build_chosen

_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def fit_network(
    stream: Stream,
    n_classes: int,
    spec: NetworkTraining,
    progress: ProgressCallback | None = None,
    saved: SavedTraining | None = None,
) -> tuple[keras.Model, list[Mapping[str, Any]]]:
    """Train a new network until the validation loss stops falling.

    Parameters
    ----------
    stream, n_classes, spec
        Batches, the number of their classes, and how to train.
    progress
        Called after every epoch.
    saved
        Where its state is kept after every epoch; what is there already is gone on from, and ends in the same weights.

    Returns
    -------
    model
        With the weights of the best epoch, float32, without an optimiser.
    history
        One mapping an epoch: the values of `EpochProgress` and ``seconds``.

    Raises
    ------
    InputError
        If the class weights are asked for and a class has no pattern, or soft labels and no pattern shows two grains.
    ModelError
        If the loss becomes infinite or NaN.
    """
    weights = _class_weights(stream.class_counts(Part.TRAIN)) if spec.class_weights else None
    if spec.soft_labels and not stream.has_fractions:
        raise InputError(
            "soft_labels: expected patterns of overlapping grains, found none that was simulated with an overlap",
            "simulate with an overlap, or set soft_labels to false",
        )
    make_deterministic(spec.seed)
    shape, steps = (*stream.input_shape, 1), stream.n_batches(Part.TRAIN)
    with _precision(spec.precision), own_random_numbers(spec.seed):
        network = build_chosen(spec.network, shape, n_classes, spec.network_parameters)
    optimiser = optimiser_of(spec, steps)
    # Compiled with XLA the convolutions take 8 times as long on a CPU (TensorFlow 2.21).
    network.compile(
        optimizer=optimiser,  # pyright: ignore[reportArgumentType]
        loss=loss_of(spec),
        metrics=["accuracy"],
        jit_compile=False,  # pyright: ignore[reportArgumentType]
    )
    optimiser.build(network.trainable_variables)
    epochs = Epochs(network, optimiser, (spec.epochs, spec.patience, stream.count(Part.TRAIN)), progress, saved)
    if not epochs.done:
        with BatchFeed(stream, n_classes if takes_rows(spec) else None, fractions=spec.soft_labels) as feed:
            try:
                network.fit(
                    feed.training(len(epochs.history)),
                    initial_epoch=len(epochs.history),
                    epochs=spec.epochs,
                    steps_per_epoch=steps,
                    validation_data=feed.validation(),
                    class_weight=weights,  # pyright: ignore[reportArgumentType]
                    callbacks=[epochs],
                    shuffle=False,
                    verbose=0,  # pyright: ignore[reportArgumentType]
                )
            except tf.errors.OpError:
                if feed.failure is not None:
                    raise feed.failure from None
                raise
    trained = build_chosen(spec.network, shape, n_classes, spec.network_parameters)
    trained.set_weights(epochs.best)
    return trained, epochs.history


@contextmanager
def _precision(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(_POLICIES[name])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _class_weights(counts: np.ndarray) -> dict[int, float]:
    """Return n / (k · n_c), so that every class weighs the same and a pattern weighs 1 on average."""
    if not counts.all():
        empty = ", ".join(str(label) for label in np.flatnonzero(counts == 0))
        raise InputError(f"class {empty} has no pattern to train on, so it has no weight", "simulate more patterns")
    return {label: float(counts.sum() / (len(counts) * count)) for label, count in enumerate(counts)}
