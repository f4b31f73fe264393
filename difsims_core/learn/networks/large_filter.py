"""The historical one: three convolutions with wide filters and one dense layer (docs/architecture.md §8)."""

from __future__ import annotations

from difsims_core.errors import ModelError
from difsims_core.learn.backend import keras

_FILTERS, _WIDTH = 64, 6
_FEWEST_VALUES = 43  # three times a filter of 6 and a halving leave one value


def large_filter(input_shape: tuple[int, ...], n_classes: int) -> keras.Model:
    """Build the network; 164 931 weights for (147, 1) and 3 classes.

    Raises
    ------
    ModelError
        If the patterns are no profiles, or too short for three filters.
    """
    if len(input_shape) != 2:
        raise ModelError(
            f"large_filter takes profiles, (values, channels), found {input_shape}", "choose another network"
        )
    if input_shape[0] < _FEWEST_VALUES:
        raise ModelError(f"large_filter needs profiles of at least {_FEWEST_VALUES} values, found {input_shape[0]}")
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(input_shape, name="profile"),
            layers.Conv1D(_FILTERS, _WIDTH, activation="relu", name="filter_1"),
            layers.MaxPooling1D(2, name="halve_1"),
            layers.Conv1D(_FILTERS, _WIDTH, activation="relu", name="filter_2"),
            layers.MaxPooling1D(2, name="halve_2"),
            layers.Dropout(0.5, name="dropout"),
            layers.Conv1D(_FILTERS, _WIDTH, activation="relu", name="filter_3"),
            layers.MaxPooling1D(2, name="halve_3"),
            layers.Flatten(name="flatten"),
            layers.Dense(128, activation="relu", name="dense"),
            layers.Dense(n_classes, activation="softmax", dtype="float32", name="probabilities"),
        ],
        name="large_filter",
    )
