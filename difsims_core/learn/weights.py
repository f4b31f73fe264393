"""The weights of a network as plain arrays: ``weights.npz``, and back into a network built from the registry.

Whatever lies in a store, no deserialiser of Keras or HDF5 reads it: a model is a name, parameters and numbers.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from difsims_core.errors import ExperimentError, InputError, ModelError
from difsims_core.messages import first_line
from difsims_core.storage.npz.limits import NpzLimits
from difsims_core.storage.npz.members import members_of

if TYPE_CHECKING:
    from difsims_core.learn.backend import keras

MOST_WEIGHTS = 50_000_000  # 200 MB; large_filter for 1000 values and 100 classes has a million
_KINDS = "fiu"
_HEADER_BYTES = 4096  # what an array has in a file beside its values, at most
_PROBES = 8
_ROUNDING = 1e-4  # of the sum of probabilities in float32


@dataclass(frozen=True, slots=True)
class Weight:
    """One array of a network.

    Attributes
    ----------
    name : str
        Its place in the network and what it is there: ``00_kernel``.
    shape : tuple of int
        Of the array.
    dtype : str
        Of the array: ``float32``.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a network is built from.

    Attributes
    ----------
    network : str
        A registered one.
    n_q, n_classes : int
        Values of a profile, and classes.
    parameters : mapping
        What else the network lets choose.
    """

    network: str
    n_q: int
    n_classes: int
    parameters: Mapping[str, Any]

    def weights(self) -> tuple[Weight, ...]:
        """Return the weights that the network has, before any is allocated.

        Raises
        ------
        ModelError
            If there is no such network, or it would have more than `MOST_WEIGHTS`.
        """
        from difsims_core.learn.networks import weights_of

        try:
            found = _described(weights_of(self.network, (self.n_q, 1), self.n_classes, self.parameters))
        except InputError as error:
            raise ModelError(str(error)) from None
        count = sum(math.prod(weight.shape) for weight in found)
        if count > MOST_WEIGHTS:
            raise ModelError(
                f"{self.network} of {self.n_q} values and {self.n_classes} classes would have {count:,} weights, at "
                f"most {MOST_WEIGHTS:,} are loaded",
                "choose a smaller network",
            )
        return found

    def build(self) -> keras.Model:
        """Return the network, untrained."""
        from difsims_core.learn.networks import build_chosen

        return build_chosen(self.network, (self.n_q, 1), self.n_classes, self.parameters)


def weights_of_model(model: keras.Model) -> tuple[Weight, ...]:
    """Return what arrays a network has, in its order."""
    return _described(model.weights)


def arrays_of_model(model: keras.Model) -> dict[str, np.ndarray]:
    """Return the weights of a network by name, in its order.

    Raises
    ------
    ModelError
        If one is not finite, or of a type that NumPy does not have.
    """
    names = [weight.name for weight in weights_of_model(model)]
    arrays = dict(zip(names, model.get_weights(), strict=True))
    _check_values(arrays, "the network")
    return arrays


def network_from(data: bytes, recipe: Recipe, weights: Sequence[Weight], where: str) -> keras.Model:
    """Return a network with the weights of an npz file.

    Parameters
    ----------
    data
        The file, its checksum known to be right.
    recipe
        What the network is built from.
    weights
        What arrays the record says there are.
    where
        What errors call the file.

    Raises
    ------
    ModelError
        If the network is not known here or too large, has other arrays than the record or the file, one of them is
        not finite, or what comes out are no probabilities.
    """
    expected = recipe.weights()
    if tuple(weights) != expected:
        raise ModelError(f"{where}: {_difference(expected, tuple(weights), recipe)}", "train the model again")
    arrays = _read(data, expected, where)
    network = recipe.build()
    network.set_weights([arrays[weight.name] for weight in expected])
    check_probabilities(network, recipe, where)
    return network


def probe(model: keras.Model, n_q: int) -> np.ndarray:
    """Return the (8, k) outputs for profiles that are always the same: a ramp, a peak, nothing, noise."""
    profiles = np.random.default_rng(0).random((_PROBES, n_q, 1)).astype(np.float32)
    profiles[0, :, 0] = np.linspace(0, 1, n_q)
    profiles[1] = 0
    profiles[2, :, 0] = np.arange(n_q) == n_q // 2
    return np.asarray(model(profiles, training=False))


def check_probabilities(model: keras.Model, recipe: Recipe, where: str) -> None:
    """Refuse a network whose outputs for a few profiles are no probabilities."""
    outputs = probe(model, recipe.n_q)
    shape = (_PROBES, recipe.n_classes)
    sums = np.abs(outputs.sum(axis=-1) - 1)
    if outputs.shape != shape or not (outputs >= 0).all() or not (sums <= _ROUNDING).all():
        raise ModelError(
            f"{where}: expected probabilities from this network, {shape[1]} that sum to 1 for each profile, found "
            f"{outputs.shape} from {outputs.min():g} to {outputs.max():g}",
            "train the model again",
        )


def _read(data: bytes, expected: Sequence[Weight], where: str) -> dict[str, np.ndarray]:
    names = [weight.name for weight in expected]
    try:
        arrays = members_of(io.BytesIO(data), names, limits=_limits(expected), shown=where)
    except ExperimentError as error:
        raise ModelError(
            f"{where}: expected an npz file with the {len(expected)} arrays of the network ({first_line(error)})",
            "train the model again",
        ) from None
    for weight in expected:
        array = arrays[weight.name]
        if (array.shape, array.dtype) != (weight.shape, np.dtype(weight.dtype)):
            raise ModelError(
                f"{where}: expected {weight.name} of shape {weight.shape} {weight.dtype}, found {array.shape} "
                f"{array.dtype}",
                "train the model again",
            )
    _check_values(arrays, where)
    return arrays


def _limits(expected: Sequence[Weight]) -> NpzLimits:
    """Return what a file may hold that holds these arrays and nothing else."""
    sizes = [math.prod(w.shape) * np.dtype(w.dtype).itemsize + _HEADER_BYTES for w in expected]
    return NpzLimits(array_mb=math.ceil(max(sizes) / 1e6), total_mb=math.ceil(sum(sizes) / 1e6), members=len(expected))


def _check_values(arrays: Mapping[str, np.ndarray], where: str) -> None:
    for name, array in arrays.items():
        if array.dtype.kind not in _KINDS:
            raise ModelError(f"{where}: {name} is {array.dtype}", "expected plain numbers, build it of float32")
        if not np.isfinite(array).all():
            raise ModelError(f"{where}: {name} holds NaN or infinite weights", "train the model again")


def _described(weights: Sequence[Any]) -> tuple[Weight, ...]:
    digits = max(2, len(str(len(weights) - 1)))
    return tuple(
        Weight(f"{place:0{digits}d}_{w.name}", tuple(int(edge) for edge in w.shape), str(w.dtype))
        for place, w in enumerate(weights)
    )


def _difference(expected: Sequence[Weight], found: Sequence[Weight], recipe: Recipe) -> str:
    """Return where the weights of a record and of the network built from it part first."""
    pairs = zip(expected, found, strict=False)
    here, there = next(((e, f) for e, f in pairs if e != f), (f"{len(expected)} arrays", f"{len(found)}"))
    return f"expected the weights of {recipe.network}, {here}, found {there}"
