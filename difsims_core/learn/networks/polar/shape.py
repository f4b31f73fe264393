"""What the networks of polar patterns share: the check of their input, and from features to probabilities."""

from __future__ import annotations

from typing import Any

from difsims_core.errors import ModelError
from difsims_core.learn.backend import keras
from difsims_core.learn.networks.polar.layers import RmsScaling


def polar_input(name: str, input_shape: tuple[int, ...], fewest: tuple[int, int]) -> tuple[Any, Any]:
    """Return the input of a network of amplitudes of polar patterns, (n_q, n_azimuths, 1), and these scaled.

    Raises
    ------
    ModelError
        If the patterns are not polar, or have fewer radii or azimuths than the network needs.
    """
    if len(input_shape) != 3 or input_shape[2] != 1:
        raise ModelError(
            f"{name} takes polar patterns, (n_q, n_azimuths, 1), found {input_shape}", "choose another network"
        )
    if input_shape[0] < fewest[0] or input_shape[1] < fewest[1]:
        raise ModelError(
            f"{name} needs polar patterns of at least {fewest[0]} × {fewest[1]} cells, found "
            f"{input_shape[0]} × {input_shape[1]}"
        )
    inputs = keras.Input(input_shape, name="amplitudes")
    return inputs, RmsScaling(name="scaling")(inputs)


def classes(features: Any, n_classes: int, units: int, dropout: float) -> Any:
    """Return the probabilities (n, n_classes) of features (n, azimuths, channels), pooled over all azimuths."""
    layers = keras.layers
    pooled = layers.Concatenate(name="around")(
        [layers.GlobalMaxPooling1D(name="highest")(features), layers.GlobalAveragePooling1D(name="mean")(features)]
    )
    pooled = layers.Dropout(dropout, name="dropout")(pooled)
    dense = layers.Dense(units, activation="relu", name="dense")(pooled)
    return layers.Dense(n_classes, activation="softmax", dtype="float32", name="probabilities")(dense)
