"""What a network is: a function of input shape and number of classes that returns an untrained Keras model."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from difsims_core.errors import ModelError
from difsims_core.families import network_family
from difsims_core.learn.backend import keras
from difsims_core.messages import first_line

NetworkBuilder = Callable[..., keras.Model]
"""From the input shape and the number of classes to a model whose outputs are probabilities.

What can be chosen of it are keywords with defaults: plain numbers, texts and truth values.
"""

_LONGEST_TEXT = 200


def build_network(name: str, input_shape: tuple[int, ...], n_classes: int, **parameters: Any) -> keras.Model:
    """Build an untrained network.

    Parameters
    ----------
    name
        A registered network.
    input_shape
        (values of a profile, channels), or (n_q, n_φ, channels); patterns have one channel.
    n_classes
        At least 2.
    **parameters
        What else the network lets choose.

    Returns
    -------
    keras.Model
        From (n, *input_shape) in [0, 1] to (n, n_classes) probabilities, float32, rows summing to 1.

    Raises
    ------
    InputError
        If no network has this name.
    ModelError
        If the network cannot have this shape or these parameters.
    """
    return build_chosen(name, input_shape, n_classes, parameters)


def build_chosen(name: str, input_shape: tuple[int, ...], n_classes: int, parameters: Mapping[str, Any]) -> keras.Model:
    """Build an untrained network whose parameters somebody else has chosen (`build_network`)."""
    builder: NetworkBuilder = network_family(name)[name]
    shape = tuple(int(size) for size in input_shape)
    if len(shape) < 2 or min(shape) < 1:
        raise ModelError(f"expected an input shape (values, channels), such as (147, 1), found {input_shape!r}")
    if n_classes < 2:
        raise ModelError(f"a classifier needs at least 2 classes, found {n_classes}", "simulate more phases")
    _check_parameters(name, builder, parameters)
    try:
        return builder(shape, int(n_classes), **parameters)
    except ModelError:
        raise
    except Exception as error:
        chosen = f" and {dict(parameters)}" if parameters else ""
        raise ModelError(f"{name} cannot be built for {shape}{chosen} ({first_line(error)})", "correct them") from error


def weights_of(name: str, input_shape: tuple[int, ...], n_classes: int, parameters: Mapping[str, Any]) -> list[Any]:
    """Return the weights that a network would have, names, shapes and types alone: however many, none is allocated.

    Raises
    ------
    InputError, ModelError
        As `build_network`.
    """

    def sketch() -> list[Any]:
        with keras.StatelessScope(initialize_variables=False):
            return build_chosen(name, input_shape, n_classes, parameters).weights

    # Keras keeps a list of what a thread has left unallocated, and would allocate it with the next model built there.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(sketch).result()


def _check_parameters(name: str, builder: NetworkBuilder, parameters: Mapping[str, Any]) -> None:
    known = [*inspect.signature(builder).parameters][2:]
    for key, value in parameters.items():
        if key not in known:
            raise ModelError(f"{name} has no parameter {key!r} (parameters here: {', '.join(known) or 'none'})")
        number = isinstance(value, bool | int | float) and abs(value) < 1e15 and math.isfinite(value)
        if not number and not (isinstance(value, str) and len(value) <= _LONGEST_TEXT):
            raise ModelError(f"{name}: expected a number or a short text for {key}, found {str(value)[:60]!r}")
