"""A residual network of profiles for processors: short filters at falling resolution, no normalisation.

The last convolution of every block starts small, so that the network begins as a shallow one and trains without batch
statistics, which cost a processor more than the convolutions do.

References
----------
K. He, X. Zhang, S. Ren, J. Sun, Identity mappings in deep residual networks, ECCV 2016.
H. Zhang, Y. N. Dauphin, T. Ma, Fixup initialization: residual learning without normalization, ICLR 2019.
"""

from __future__ import annotations

from typing import Any

from difsims_core.errors import ModelError
from difsims_core.learn.backend import keras

_STEM_WIDTH, _WIDTH = 8, 3
_SMALL = 1e-2  # variance of what a block adds at first, over that of its input
_FEWEST_VALUES = 16  # three halvings leave two


def residual_1d(
    input_shape: tuple[int, ...], n_classes: int, *, channels: int = 32, blocks: int = 1, dropout: float = 0.3
) -> keras.Model:
    """Build the network: a wide first filter, three levels of residual blocks, one dense layer over all positions.

    Parameters
    ----------
    input_shape, n_classes
        (values, channels), and the number of outputs.
    channels
        Of the first level; the others have twice and three times as many.
    blocks
        Of each level.
    dropout
        Before the dense layers.

    Raises
    ------
    ModelError
        If the patterns are no profiles, or too short.
    """
    if len(input_shape) != 2:
        raise ModelError(
            f"residual_1d takes profiles, (values, channels), found {input_shape}", "choose another network"
        )
    if input_shape[0] < _FEWEST_VALUES:
        raise ModelError(f"residual_1d needs profiles of at least {_FEWEST_VALUES} values, found {input_shape[0]}")
    layers = keras.layers
    profile = keras.Input(input_shape, name="profile")
    x = layers.Conv1D(channels, _STEM_WIDTH, strides=2, padding="same", activation="relu", name="stem")(profile)
    for level in range(3):
        wide = channels * (level + 1)
        if level:
            x = layers.Conv1D(wide, 2, strides=2, padding="same", name=f"halve_{level}")(x)
        for block in range(blocks):
            x = _block(x, wide, f"level_{level}_block_{block}")
    x = layers.Activation("relu", name="relu")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Dense(128, activation="relu", name="dense")(x)
    x = layers.Dropout(dropout, name="dropout_dense")(x)
    probabilities = layers.Dense(n_classes, activation="softmax", dtype="float32", name="probabilities")(x)
    return keras.Model(profile, probabilities, name="residual_1d")


def _block(x: keras.KerasTensor, channels: int, name: str) -> keras.KerasTensor:
    layers = keras.layers
    inner = layers.Activation("relu", name=f"{name}_relu")(x)
    inner = layers.Conv1D(channels, _WIDTH, padding="same", activation="relu", name=f"{name}_first")(inner)
    small: Any = keras.initializers.VarianceScaling(_SMALL)
    inner = layers.Conv1D(channels, _WIDTH, padding="same", kernel_initializer=small, name=f"{name}_second")(inner)
    return layers.Add(name=f"{name}_sum")([x, inner])
