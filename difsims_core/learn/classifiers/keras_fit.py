"""Fit a Keras network to streamed batches: early stopping, progress, nothing stored."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np

from difsims_core.config.learning import TrainingSpec
from difsims_core.errors import InputError, ModelError
from difsims_core.learn.backend import keras, make_deterministic, tf
from difsims_core.learn.classifiers.base import EpochProgress, ProgressCallback
from difsims_core.learn.data.pattern_stream import PatternStream
from difsims_core.learn.data.split import Part
from difsims_core.learn.data.tf_dataset import BatchFeed
from difsims_core.learn.networks import build_chosen

logger = logging.getLogger(__name__)

_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def fit_network(
    stream: PatternStream, n_classes: int, spec: TrainingSpec, progress: ProgressCallback | None = None
) -> tuple[keras.Model, list[dict[str, Any]]]:
    """Train a new network until the validation loss stops falling.

    Returns
    -------
    model
        With the weights of the best epoch, float32, without an optimiser.
    history
        One mapping an epoch: the values of `EpochProgress` and ``seconds``.

    Raises
    ------
    InputError
        If the class weights are asked for and a class has no pattern.
    ModelError
        If the loss becomes infinite or NaN.
    """
    weights = _class_weights(stream.class_counts(Part.TRAIN)) if spec.class_weights else None
    make_deterministic(spec.seed)
    shape = (*stream.input_shape, 1)
    with _precision(spec.precision):
        network = build_chosen(spec.network, shape, n_classes, spec.network_parameters)
    # Compiled with XLA the convolutions take 8 times as long on a CPU (TensorFlow 2.21).
    network.compile(
        optimizer=keras.optimizers.Adam(spec.learning_rate),  # pyright: ignore[reportArgumentType]
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,  # pyright: ignore[reportArgumentType]
    )
    feed = BatchFeed(stream)
    record = _Record(spec.epochs, stream.count(Part.TRAIN), progress)
    stopping = keras.callbacks.EarlyStopping("val_loss", patience=spec.patience, mode="min", restore_best_weights=True)
    try:
        network.fit(
            feed.training(),
            epochs=spec.epochs,
            steps_per_epoch=stream.n_batches(Part.TRAIN),
            validation_data=feed.validation(),
            class_weight=weights,  # pyright: ignore[reportArgumentType]
            callbacks=[stopping, record],
            shuffle=False,
            verbose=0,  # pyright: ignore[reportArgumentType]
        )
    except tf.errors.OpError:
        if feed.failure is not None:
            raise feed.failure from None
        raise
    trained = build_chosen(spec.network, shape, n_classes, spec.network_parameters)
    trained.set_weights(network.get_weights())
    return trained, record.history


class _Record(keras.callbacks.Callback):
    """Keeps the history, reports it, and stops a training that diverges."""

    def __init__(self, epochs: int, n_train: int, progress: ProgressCallback | None) -> None:
        super().__init__()
        self.epochs, self.n_train, self.progress = epochs, n_train, progress
        self.history: list[dict[str, Any]] = []
        self._started = self._trained = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self._started, self._trained = time.perf_counter(), 0.0

    def on_test_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        self._trained = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        values = {name: float(logs[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
        if not all(map(math.isfinite, values.values())):
            raise ModelError(
                f"training diverged in epoch {epoch + 1}: loss {values['loss']}, validation loss {values['val_loss']}",
                "lower learning_rate",
            )
        rate = self.n_train / max(self._trained - self._started, 1e-9)
        state = EpochProgress(epoch + 1, self.epochs, **values, samples_per_second=rate)
        self.history.append({**asdict(state), "seconds": time.perf_counter() - self._started})
        logger.info("epoch %d of %d: validation loss %.4f", state.epoch, state.epochs, state.val_loss)
        if self.progress is not None:
            self.progress(state)


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
