"""Noise-free radial profiles of patterns of one phase, one after another (docs/physics.md §§4–5)."""

from __future__ import annotations

import numpy as np

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.profile.pattern import spots_of_pattern
from difsims_core.kernels.profile.spread import deposit, gather
from difsims_core.kernels.spots.gap import lose_in_gap

_ZERO = np.float32(0)


@kernel
def phase_profiles(conditions, lattice, beam, given, frame, spread, annuli, random, spots, where, profiles):
    """Add the noise-free profiles of patterns of one phase, and return the intensity of the brightest spot of each.

    Parameters
    ----------
    conditions, frame, spread
        The records of these names.
    lattice, beam, given
        As ``whole_spots``.
    annuli
        Width of an annulus, pixels, and (n_bins,) areas on the detector, px².
    random, spots
        As ``spots_of_pattern``.
    where
        (m,) rows of ``profiles``.
    profiles
        (n, n_bins) float32, added to: mean intensity per pixel of each annulus.

    Returns
    -------
    (m,) float64; 0 for a pattern without spots.
    """
    brightest = np.zeros(where.shape[0])
    nodes, weights = np.empty(spots.x_px.shape[0] + 1, np.int64), np.empty((spots.x_px.shape[0] + 1, 4), np.float32)
    cells = np.empty(2 * (spread.n_nodes.max() + 4), np.float32)
    n_bins = profiles.shape[1]
    for i in range(where.shape[0]):
        n, top = spots_of_pattern(i, conditions, lattice, beam, given, frame, random, spots)
        brightest[i] = top
        level = conditions.level[i]
        size = spread.n_nodes[level]
        cells[: 2 * size] = _ZERO
        any_beside = 0
        for j in range(n):
            any_beside += spots.beside[j]
        deposit(spots, n, spread.inverse_spacing[level], size, nodes, weights, cells)
        profile = profiles[where[i]]
        first, last, offset = spread.first[level], spread.last[level], spread.offset[level]
        gather(cells[:size], 0, first, last, offset, spread.weights, profile, n_bins)
        if any_beside > 0:
            lowest = int(frame.half_x * spread.inverse_spacing[level])
            gather(cells[size:], lowest, first, last, offset, spread.weights, profile, spread.whole)
        if conditions.hidden[i, 1] > 0.0:
            lose_in_gap(
                spots, n, conditions.sigma[i], conditions.hidden[i], annuli[0], annuli[1], spread.whole, profile
            )
        for b in range(n_bins):
            profile[b] = profile[b] if profile[b] > _ZERO else _ZERO
    return brightest
