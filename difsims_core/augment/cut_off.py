"""Pixels that see nothing: a round beam stop about the centre, a straight gap between detector modules.

An annulus loses pixels, and spots lose what falls into the gap; a reading is the mean of the pixels that are left, and 0
where none is left. The beam stop takes whole annuli: the mean of those beyond its edge stays what it was.

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
    beyond = np.clip(outer**2 - np.maximum(inner, stop_px[:, None]) ** 2, 0, None) / (outer**2 - inner**2)
    radius = np.maximum((inner + outer) / 2, 1e-9)
    near = np.clip((offset_px - gap_px / 2)[:, None] / radius, -1, 1)
    far = np.clip((offset_px + gap_px / 2)[:, None] / radius, -1, 1)
    return beyond, 1 - (np.arccos(near) - np.arccos(far)) / np.pi


def visible_mask(
    x_px: np.ndarray, y_px: np.ndarray, stop_px: float, gap_px: float, offset_px: float, *, along_x: bool
) -> np.ndarray:
    """Return which places, in pixels from the centre, see electrons; shapes of ``x_px`` and ``y_px`` broadcast."""
    across = y_px if along_x else x_px
    return (np.hypot(x_px, y_px) >= stop_px) & (np.abs(across - offset_px) >= gap_px / 2)
