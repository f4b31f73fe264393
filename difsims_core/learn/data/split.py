"""Which patterns a network never trains on: a function of the seed and the pattern index alone.

Why not a shuffled split of a library: promotion compares models on patterns that neither has trained on, in datasets of
any size and order, so a pattern must keep its side for ever (``docs/decisions/held-out-patterns.md``).
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike

from difsims_core.errors import InputError

# SplitMix64: G. L. Steele, D. Lea, C. H. Flood, OOPSLA 2014, doi:10.1145/2660193.2660195
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_PURPOSE = np.uint64(0x53504C4954)  # "SPLIT": apart from everything else that is derived from a seed


class Part(IntEnum):
    """What a pattern is used for: weights, early stopping, or the final scores alone."""

    TRAIN = 0
    VALIDATION = 1
    TEST = 2


def part_of(indices: ArrayLike, fraction: float, seed: int) -> np.ndarray:
    """Return the `Part` of each pattern index, uint8.

    Half of the held-out patterns decide when training stops; the other half only score the result, so that the scores
    owe nothing to that choice. The same index lies on the same side in every dataset, so datasets that share patterns
    (one extends the other, say) do not leak into each other.

    Parameters
    ----------
    indices
        Pattern indices, not negative, any shape.
    fraction
        Expected part that is held out, 0 … 1.
    seed
        Not negative.

    Raises
    ------
    InputError
        If the fraction is not between 0 and 1, or the seed is negative.
    """
    u = _uniform(indices, fraction, seed)
    return (u < fraction).astype(np.uint8) + ((u >= fraction / 2) & (u < fraction)).astype(np.uint8)


def held_out(indices: ArrayLike, fraction: float, seed: int) -> np.ndarray:
    """Return which pattern indices are never trained on, a bool for each; see `part_of`."""
    return _uniform(indices, fraction, seed) < fraction


def _uniform(indices: ArrayLike, fraction: float, seed: int) -> np.ndarray:
    if not 0 <= fraction <= 1:
        raise InputError(f"the held-out fraction must lie in 0 … 1, found {fraction!r}")
    if seed < 0:
        raise InputError(f"the seed of a split must not be negative, found {seed!r}")
    with np.errstate(over="ignore"):
        state = _mix(_PURPOSE + np.uint64(seed) * _GOLDEN)
        bits = _mix(_mix(state + (np.asarray(indices).astype(np.uint64) + np.uint64(1)) * _GOLDEN))
    return np.asarray(bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(z: np.ndarray | np.uint64) -> np.ndarray | np.uint64:
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))
