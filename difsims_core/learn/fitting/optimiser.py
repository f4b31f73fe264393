"""Step sizes and losses of a training document (`config.learning.NetworkTraining`)."""

from __future__ import annotations

import math
from typing import Any

from difsims_core.config.learning import NetworkTraining
from difsims_core.learn.backend import keras, tf


class StepSize(keras.optimizers.schedules.LearningRateSchedule):
    """A step size that rises linearly from zero, and then stays or falls along half a cosine to zero.

    References
    ----------
    I. Loshchilov, F. Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017, without restarts.

    Parameters
    ----------
    highest
        After the rise.
    warmup_steps, cosine_steps
        Of the rise and of the fall; 0: there is none.
    """

    def __init__(self, highest: float, warmup_steps: int, cosine_steps: int) -> None:
        self.highest, self.warmup_steps, self.cosine_steps = highest, warmup_steps, cosine_steps

    def __call__(self, step: Any) -> Any:
        """Return the step size after so many steps."""
        after = tf.cast(step, tf.float32) - self.warmup_steps
        size = tf.constant(self.highest, tf.float32)
        if self.cosine_steps:
            size *= 0.5 * (1 + tf.cos(math.pi * tf.clip_by_value(after / self.cosine_steps, 0.0, 1.0)))
        if self.warmup_steps:
            size *= tf.minimum(1.0, (after + 1) / self.warmup_steps + 1.0)
        return size


def optimiser_of(spec: NetworkTraining, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Return Adam as a document wants it, for epochs of so many steps."""
    cosine_epochs = spec.epochs - spec.warmup_epochs if spec.schedule == "cosine" else 0
    size: Any = spec.learning_rate
    if cosine_epochs or spec.warmup_epochs:
        size = StepSize(size, spec.warmup_epochs * steps_per_epoch, cosine_epochs * steps_per_epoch)
    return keras.optimizers.Adam(size, global_clipnorm=spec.clip_norm)


def loss_of(spec: NetworkTraining) -> Any:
    """Return the cross-entropy that a document wants: of class numbers, or of rows of probabilities."""
    if not takes_rows(spec):
        return "sparse_categorical_crossentropy"
    return keras.losses.CategoricalCrossentropy(label_smoothing=spec.label_smoothing)


def takes_rows(spec: NetworkTraining) -> bool:
    """Return whether labels are rows of probabilities, not class numbers."""
    return spec.soft_labels or spec.label_smoothing > 0
