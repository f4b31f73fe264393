"""How many directions stand for a convergent or precessing beam (docs/physics.md §11).

Across a disc of semi-angle α the excitation error of a beam changes by |g| α, and on a precession cone by |g| times the
angle: directions must lie so close that this is a part of 1/t, the width of the rocking curve.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from difsims_core.kernels.bloch.tilts import n_tilts, tilt_of
from difsims_core.kernels.spots.excite import point_of_disc

_PER_ROCKING_WIDTH = 2.0  # directions
_MOST_RINGS = 6
_FEWEST_ON_CONE, _MOST_ON_CONE = 24, 720


def disc_rings(semi_angle: np.ndarray, seen_per_angstrom: np.ndarray, thickness_angstrom: np.ndarray) -> np.ndarray:
    """Return (m,) int64 rings of directions around the middle of each disc; 0 where one direction is enough.

    ``semi_angle`` is in radians; one direction is enough as long as |g| α t < 1/4 for the largest |g| that is seen.
    """
    widths = seen_per_angstrom * semi_angle * thickness_angstrom
    rings = np.ceil(_PER_ROCKING_WIDTH * widths).astype(np.int64)
    return np.where(widths < 0.25, 0, np.clip(rings, 1, _MOST_RINGS))


def cone_directions(angle: np.ndarray, seen_per_angstrom: np.ndarray, thickness_angstrom: np.ndarray) -> np.ndarray:
    """Return (m,) int64 directions on each precession cone of half-angle ``angle``, radians; 1 without precession."""
    around = 2 * np.pi * seen_per_angstrom * angle * thickness_angstrom * _PER_ROCKING_WIDTH
    wanted = np.clip(np.ceil(around).astype(np.int64), _FEWEST_ON_CONE, _MOST_ON_CONE)
    return np.where(angle > 0, wanted, 1)


@lru_cache(maxsize=256)
def nearest_directions(rings: int, points: int) -> np.ndarray:
    """Return (points,) which of the directions of a disc lies nearest to each point that it is drawn with."""
    directions = np.array([tilt_of(number, rings, 1.0) for number in range(n_tilts(rings))])
    drawn = np.array([point_of_disc(point, points, 1.0) for point in range(points)])
    return np.linalg.norm(drawn[:, None] - directions, axis=2).argmin(axis=1)
