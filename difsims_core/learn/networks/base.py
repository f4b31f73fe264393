"""What a network is: a function of input shape and number of classes that returns an untrained Keras model."""

from __future__ import annotations

from collections.abc import Callable

from difsims_core.errors import ModelError
from difsims_core.learn.backend import keras
from difsims_core.registry import Registry

NetworkBuilder = Callable[[tuple[int, int], int], keras.Model]
"""From the input shape (n_q, channels) and the number of classes to a model whose outputs are probabilities."""

NETWORKS: Registry[NetworkBuilder] = Registry("network")


def build_network(name: str, input_shape: tuple[int, int], n_classes: int) -> keras.Model:
    """Build an untrained network.

    Parameters
    ----------
    name
        A registered network.
    input_shape
        (values of a profile, channels); profiles have one channel.
    n_classes
        At least 2.

    Returns
    -------
    keras.Model
        From (n, *input_shape) in [0, 1] to (n, n_classes) probabilities, float32, rows summing to 1.

    Raises
    ------
    InputError
        If no network has this name.
    ModelError
        If the network cannot have this shape.
    """
    builder = NETWORKS[name]
    shape = tuple(int(size) for size in input_shape)
    if len(shape) != 2 or min(shape) < 1:
        raise ModelError(f"expected an input shape (values, channels), such as (147, 1), found {input_shape!r}")
    if n_classes < 2:
        raise ModelError(f"a classifier needs at least 2 classes, found {n_classes}; simulate more phases")
    return builder(shape, int(n_classes))
