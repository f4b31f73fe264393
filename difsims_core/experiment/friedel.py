"""The centre of a pattern without its direct beam: between the two spots of each Friedel pair (docs/physics.md §17)."""

from __future__ import annotations

import numpy as np

from difsims_core.experiment.scan_spots import ScanSpots

_SEARCHED_PX = 12.0
_WIDTH_PX = 1.0  # of a pair's middle: the two discs are lit unevenly
_FEWEST_PAIRS = 3
_ROUNDS = 30
_STILL_PX = 1e-3


def friedel_centres(spots: ScanSpots, start_px: tuple[float, float]) -> np.ndarray:
    """Return (n, 2) row and column of the centre of each pattern, NaN where fewer than three pairs agree.

    The middle of any two spots may be the centre; those of Friedel pairs agree. The point where most of them lie, each
    weighed by the fainter spot's √counts, is found by mean shift (Gaussian of 1 px) from the best of them.

    Parameters
    ----------
    spots
        Relative to ``start_px``, the same for all patterns.
    start_px
        (row, column) near which the centre lies, to 12 px.
    """
    centres = np.full((len(spots.start) - 1, 2), np.nan)
    for k in range(len(centres)):
        part = slice(int(spots.start[k]), int(spots.start[k + 1]))
        found = _centre(spots.yx_px[part], spots.counts[part])
        if found is not None:
            centres[k] = found + start_px
    return centres


def _centre(places: np.ndarray, counts: np.ndarray) -> np.ndarray | None:
    first, second = np.triu_indices(len(places), 1)
    middle = (places[first] + places[second]) / 2
    near = np.hypot(*middle.T) < _SEARCHED_PX
    middle, weight = middle[near], np.sqrt(np.minimum(counts[first], counts[second]))[near]
    if len(middle) < _FEWEST_PAIRS:
        return None
    square = np.square(middle[:, None] - middle[None, :]).sum(axis=-1)
    point = middle[int((np.exp(-square / (2 * _WIDTH_PX**2)) @ weight).argmax())]
    for _ in range(_ROUNDS):
        pull = weight * np.exp(-np.square(middle - point).sum(axis=-1) / (2 * _WIDTH_PX**2))
        moved = pull @ middle / pull.sum()
        if np.abs(moved - point).max() < _STILL_PX:
            break
        point = moved
    agree = np.square(middle - point).sum(axis=-1) < (2 * _WIDTH_PX) ** 2
    return point if agree.sum() >= _FEWEST_PAIRS else None
