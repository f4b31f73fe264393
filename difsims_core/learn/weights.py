"""The weights of a classifier as plain arrays, ``weights.npz``.

Whatever lies in a store, no deserialiser of Keras or HDF5 reads it: a model is a kind, parameters and numbers.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from difsims_core.errors import ExperimentError, ModelError
from difsims_core.messages import first_line
from difsims_core.storage.npz.limits import NpzLimits
from difsims_core.storage.npz.members import members_of

WEIGHTS = "weights.npz"
"""Name of the file in the folder of a model."""

MOST_WEIGHTS = 50_000_000  # 200 MB; large_filter for 1000 values and 100 classes has a million
_KINDS = "fiu"
_HEADER_BYTES = 4096  # what an array has in a file beside its values, at most


@dataclass(frozen=True, slots=True)
class Weight:
    """One array of a classifier.

    Attributes
    ----------
    name : str
        Its place and what it is there: ``00_kernel``.
    shape : tuple of int or None
        Of the array; None: an edge that the record of a model alone knows.
    dtype : str
        Of the array: ``float32``.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str

    def fits(self, recorded: Weight) -> bool:
        """Return whether an array that is recorded is this one."""
        edges = zip(self.shape, recorded.shape, strict=False)
        alike = len(self.shape) == len(recorded.shape) and all(own in (None, found) for own, found in edges)
        return alike and (self.name, self.dtype) == (recorded.name, recorded.dtype)


def describe(weights: Mapping[str, np.ndarray]) -> tuple[Weight, ...]:
    """Return what arrays these are, in their order."""
    return tuple(Weight(name, array.shape, str(array.dtype)) for name, array in weights.items())


def check_count(weights: Sequence[Weight], described: str) -> None:
    """Refuse more than `MOST_WEIGHTS`, before any is allocated; ``described`` says of what they are."""
    count = sum(math.prod(edge or 0 for edge in weight.shape) for weight in weights)
    if count > MOST_WEIGHTS:
        raise ModelError(
            f"{described} would have {count:,} weights, at most {MOST_WEIGHTS:,} are loaded",
            "choose a smaller one",
        )


def check_values(weights: Mapping[str, np.ndarray], where: str) -> None:
    """Refuse weights that are not finite plain numbers."""
    for name, array in weights.items():
        if array.dtype.kind not in _KINDS:
            raise ModelError(f"{where}: {name} is {array.dtype}, expected plain numbers", "build it of float32")
        if not np.isfinite(array).all():
            raise ModelError(f"{where}: {name} holds NaN or infinite weights", "train the model again")


def read_weights(data: bytes, expected: Sequence[Weight], where: str) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file that holds these weights and nothing else.

    Raises
    ------
    ModelError
        If it holds others, or one is not finite.
    """
    names = [weight.name for weight in expected]
    try:
        arrays = members_of(io.BytesIO(data), names, limits=_limits(expected), shown=where)
    except ExperimentError as error:
        raise ModelError(
            f"{where}: expected an npz file with the {len(expected)} arrays of the model ({first_line(error)})",
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
    check_values(arrays, where)
    return arrays


def _limits(expected: Sequence[Weight]) -> NpzLimits:
    """Return what a file may hold that holds these arrays and nothing else."""
    sizes = [math.prod(edge or 0 for edge in w.shape) * np.dtype(w.dtype).itemsize + _HEADER_BYTES for w in expected]
    return NpzLimits(array_mb=math.ceil(max(sizes) / 1e6), total_mb=math.ceil(sum(sizes) / 1e6), members=len(expected))
