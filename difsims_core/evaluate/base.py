"""What a metric is: it measures a part, parts add up, the total is finalised once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Sums:
    """Additive results of one metric on one part of the data.

    Attributes
    ----------
    arrays
        Named float64 or int64 arrays; every one is a sum over patterns, so that parts add elementwise.
    """

    arrays: Mapping[str, np.ndarray]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def __add__(self, other: Sums) -> Sums:
        return Sums({name: value + other.arrays[name] for name, value in self.arrays.items()})


class Metric(ABC):
    """A score of probabilities against labels that can be taken over parts and workers.

    ``finalise(measure(a) + measure(b)) == finalise(measure(a and b))`` for any split; the sum of no parts is the
    measure of an empty one. A leaf is a frozen dataclass in a file of its own or beside its relatives; an instance with
    its default parameters is named in `families.METRICS`.
    """

    @abstractmethod
    def measure(self, probabilities: np.ndarray, labels: np.ndarray) -> Sums:
        """Return the sums over ``probabilities`` (n, k) float64 and ``labels`` (n,) int64 in 0…k−1; n may be 0."""

    @abstractmethod
    def finalise(self, sums: Sums, class_names: Sequence[str]) -> dict[str, Any]:
        """Return named results, plain JSON values; what no pattern defines (0/0) is None."""


def ratio(numerator: float, denominator: float) -> float | None:
    """Return the quotient as a plain float, None for a zero denominator."""
    return float(numerator) / float(denominator) if denominator else None
