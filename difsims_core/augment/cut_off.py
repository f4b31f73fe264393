"""Pixels that see nothing: a round beam stop about the centre, a straight gap between detector modules.

A reading is the mean of the pixels that are left of an annulus, and 0 where none is left. The beam stop takes whole
annuli: the mean of those beyond its edge, and of the one that it crosses, stays what it was. The gap takes parts of
annuli, and of spots.

References
----------
G. Tinti et al., Electron crystallography with the EIGER detector, IUCrJ 5 (2018) 190: gaps between modules.
"""

from __future__ import annotations

import numpy as np


def visible_parts(
    edges_px: np.ndarray, stop_px: np.ndarray, gap_px: np.ndarray, offset_px: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the (n, n_bins) parts of each annulus, inside the frame, that lie beyond the stop and beside the gap.

    Parameters
    ----------
    edges_px
        (n_bins + 1,) radii between annuli, pixels, from 0.
    stop_px, gap_px, offset_px
        (n,) radius of the beam stop, width of the gap and its distance from the centre, pixels.
    """
    inner, outer = edges_px[None, :-1], edges_px[None, 1:]
    whole = outer**2 - inner**2
    beyond = np.clip(outer**2 - np.maximum(inner, stop_px[:, None]) ** 2, 0, None) / whole
    near, far = (offset_px - gap_px / 2)[:, None], (offset_px + gap_px / 2)[:, None]
    in_gap = _disc_before(edges_px[None, :], far) - _disc_before(edges_px[None, :], near)
    return beyond, np.clip(1 - np.diff(in_gap, axis=1) / (np.pi * whole), 0, 1)


def _disc_before(radius: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return the area of a disc on one side of a line at the distance ``v`` from its centre, less half the disc."""
    v = np.clip(v, -radius, radius)
    return v * np.sqrt(radius**2 - v**2) + radius**2 * np.arcsin(v / np.maximum(radius, 1e-9))


def visible_mask(
    x_px: np.ndarray, y_px: np.ndarray, stop_px: float, gap_px: float, offset_px: float, *, along_x: bool
) -> np.ndarray:
    """Return which places, in pixels from the centre, see electrons; shapes of ``x_px`` and ``y_px`` broadcast."""
    across = y_px if along_x else x_px
    return (np.hypot(x_px, y_px) >= stop_px) & (np.abs(across - offset_px) >= gap_px / 2)
