"""How sure the phase of a pixel is when its neighbours are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from difsims_core.learn.scan.grains import Grains

_CRYSTALS_ALONE = 0.1  # of pixels that no grain has, those with a crystal: 0.08 of all on the development scans
_FEWEST_IN_GRAINS = 0.5  # of pixels, in scans in which a pixel alone is an exception


def confidence(probabilities: np.ndarray, usable: np.ndarray, grains: Grains | None) -> np.ndarray:
    """Return the probability that the most probable phase of each pixel is the right one.

    A classifier knows crystals alone, and is as sure of what has none. A pixel whose polar pattern has nothing in
    common with any neighbour, where most pixels have, seldom shows a crystal (docs/physics.md §12): it counts a tenth.

    Parameters
    ----------
    probabilities
        (…, n_phases) of each pixel.
    usable
        (…) bool: pixels that could be classified.
    grains
        Of polar patterns, None where they are not known.

    Returns
    -------
    (…) float32, NaN where a pixel could not be classified.
    """
    sure = np.where(usable, probabilities.max(axis=-1), np.nan).astype(np.float32)
    if grains is None or not usable.any():
        return sure
    alone = usable & (grains.number < 0)
    if alone.sum() > (1 - _FEWEST_IN_GRAINS) * usable.sum():
        return sure  # of a scan without crystals, or whose grains are pixels
    return np.where(alone, np.float32(_CRYSTALS_ALONE) * sure, sure)
