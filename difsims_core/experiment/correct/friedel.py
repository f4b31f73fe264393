"""The centre of a pattern without its direct beam: between the two spots of each Friedel pair (docs/physics.md §17)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from difsims_core.experiment.correct.scan_spots import ScanSpots

_SEARCHED_PX = 12.0
_WANDER_PX = 3.0  # of the beam over a scan
_WIDTH_PX = 1.0  # of a pair's middle: the two discs are lit unevenly
_FEWEST_PAIRS = 3
_ROUNDS = 30
_STILL_PX = 1e-3


def friedel_centres(spots: ScanSpots, start_px: tuple[float, float]) -> np.ndarray:
    """Return (n, 2) row and column of the centre of each pattern, NaN where fewer than three pairs agree.

    The middle of any two spots may be the centre. Those of Friedel pairs agree, but so do those of any pairs of a
    lattice, half a period away. Lattices differ from grain to grain: where the middles of all patterns lie densest, the
    beam of the scan is; near it, the densest point of each pattern is its own. Each middle is weighed by the fainter
    spot's √counts, and the densest point found by mean shift with a Gaussian of 1 px, 3 px for all patterns.

    Parameters
    ----------
    spots
        Relative to ``start_px``, the same for all patterns.
    start_px
        (row, column) near which the centre lies, to 12 px.
    """
    centres = np.full((len(spots.start) - 1, 2), np.nan)
    each = list(_middles(spots))
    middles, weights = (np.concatenate(parts) for parts in zip(*each, strict=True))
    if not len(middles):
        return centres
    grid = np.arange(-_SEARCHED_PX, _SEARCHED_PX + 1, _WANDER_PX / 2)
    starts = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    common = _densest(middles, weights, starts, _WANDER_PX)
    for k, (middle, weight) in enumerate(each):
        near = np.square(middle - common).sum(axis=1) < (2 * _WANDER_PX) ** 2
        if near.sum() >= _FEWEST_PAIRS:
            point = _densest(middle[near], weight[near], middle[near], _WIDTH_PX)
            if (np.square(middle - point).sum(axis=1) < (2 * _WIDTH_PX) ** 2).sum() >= _FEWEST_PAIRS:
                centres[k] = point + start_px
    return centres


def _middles(spots: ScanSpots) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, pattern by pattern, (m, 2) middles of pairs of spots near the start, and their (m,) weights."""
    for low, high in zip(spots.start[:-1], spots.start[1:], strict=True):
        places, counts = spots.yx_px[low:high], spots.counts[low:high]
        first, second = np.triu_indices(len(places), 1)
        middle = (places[first] + places[second]) / 2
        near = np.hypot(*middle.T) < _SEARCHED_PX
        yield middle[near], np.sqrt(np.minimum(counts[first], counts[second]))[near]


def _densest(points: np.ndarray, weights: np.ndarray, starts: np.ndarray, width: float) -> np.ndarray:
    """Return the densest point that mean shift finds from the best of some starts."""
    density = [float(weights @ _kernel(points, start, width)) for start in starts]
    point = starts[int(np.argmax(density))]
    for _ in range(_ROUNDS):
        pull = weights * _kernel(points, point, width)
        moved = pull @ points / pull.sum()
        if np.abs(moved - point).max() < _STILL_PX:
            return moved
        point = moved
    return point


def _kernel(points: np.ndarray, centre: np.ndarray, width: float) -> np.ndarray:
    return np.exp(-np.square(points - centre).sum(axis=1) / (2 * width**2))
