"""Spots of many patterns, relative to each pattern's own beam."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from difsims_core.kernels.scan.spots import find_spots

_MOST = 400
_SMOOTHING_PX = 1.5
_SIGNIFICANCE = 5.0
_NEAREST = 2.5  # times the radius of the disc


@dataclass(frozen=True, slots=True)
class ScanSpots:
    """Spots of n patterns, stored end to end.

    Attributes
    ----------
    yx_px : (m, 2) float64
        Recorded row and column from the beam.
    counts : (m,) float64
        Above the surroundings.
    start : (n + 1,) int64
        Spots of pattern k are ``start[k]:start[k + 1]``.
    positions : (n, 2) int64
        iy and ix of the patterns in the scan.
    """

    yx_px: np.ndarray
    counts: np.ndarray
    start: np.ndarray
    positions: np.ndarray


def find_scan_spots(
    frames: np.ndarray, good: np.ndarray, centres: np.ndarray, disc_radius_px: float, positions: np.ndarray
) -> ScanSpots:
    """Find the spots of (n, rows, columns) frames around their (n, 2) beams.

    Parameters
    ----------
    frames, good, centres
        Counts; (rows, columns) bool; row and column of each beam, px.
    disc_radius_px
        Spots are looked for from 2.5 times as far out, to the nearest edge of the frame.
    positions
        (n, 2) iy and ix in the scan.
    """
    good = np.ascontiguousarray(good)
    found = np.empty((_MOST, 3))
    each = []
    for frame, centre in zip(frames, centres, strict=True):
        edge = min(*centre, frame.shape[0] - 1 - centre[0], frame.shape[1] - 1 - centre[1])
        radii = (_NEAREST * disc_radius_px + 1.0, float(edge))
        n = find_spots(frame, good, centre, _SMOOTHING_PX, radii, _SIGNIFICANCE, found)
        each.append(found[:n].copy())
    all_spots = np.concatenate([np.empty((0, 3)), *each])
    start = np.concatenate([[0], np.cumsum([len(spots) for spots in each])]).astype(np.int64)
    return ScanSpots(all_spots[:, :2], all_spots[:, 2], start, positions)
