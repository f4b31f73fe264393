"""Lists of spots as a detector sees them: the peak-position library, and those of chosen orientations.

See docs/physics.md §5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from difsims_core.diffraction.geometry import Geometry
from difsims_core.diffraction.sources import SpotSource
from difsims_core.kernels.spots.peaks import count_spots, list_spots


@dataclass(frozen=True, slots=True)
class DetectedSpots:
    """Spots on the detector of ``n`` patterns, stored end to end.

    Attributes
    ----------
    start : (n + 1,) int64
        Spots of pattern ``i`` are ``start[i]:start[i + 1]``.
    hkl : (m, 3) int16
        Miller indices.
    g : (m, 2) float64
        In-plane scattering vectors as the detector shows them at its nominal calibration, Å⁻¹ (docs/physics.md §1).
    intensity : (m,) float64
        What the engine gives, and what the document does to it; without direct beam and removed spots.
    excitation_error : (m,) float64
        Å⁻¹ (docs/physics.md §4).
    """

    start: np.ndarray
    hkl: np.ndarray
    g: np.ndarray
    intensity: np.ndarray
    excitation_error: np.ndarray


def detected_spots(
    geometry: Geometry, hkl: Sequence[np.ndarray], sources: Iterable[SpotSource], n: int
) -> DetectedSpots:
    """List the spots of ``n`` patterns on ``geometry.frame``; see ``Engine.detected_spots``.

    ``hkl`` holds the (n_reflections, 3) Miller indices of each phase.
    """
    parts = [(source.grains.which, _spots_of(geometry, hkl, source)) for source in sources]
    counts = np.zeros(n, np.int64)
    for which, spots in parts:
        counts[which] += np.diff(spots.start)
    start = np.concatenate([[0], np.cumsum(counts)])
    indices, g = np.empty((start[-1], 3), np.int16), np.empty((start[-1], 2))
    intensity, error = np.empty(start[-1]), np.empty(start[-1])
    filled = start[:-1].copy()
    for which, spots in parts:
        sizes = np.diff(spots.start)
        to = np.repeat(filled[which] - spots.start[:-1], sizes) + np.arange(len(spots.hkl))
        indices[to], g[to], intensity[to], error[to] = spots.hkl, spots.g, spots.intensity, spots.excitation_error
        filled[which] += sizes
    return DetectedSpots(start, indices, g, intensity, error)


def _spots_of(geometry: Geometry, hkl: Sequence[np.ndarray], source: SpotSource) -> DetectedSpots:
    common, buffer = source.arguments(geometry.frame), source.buffer()
    counts = np.zeros(len(source.grains.which), np.int64)
    count_spots(*common, buffer, counts)
    start = np.concatenate([[0], np.cumsum(counts)])
    m = start[-1]
    reflection, position = np.empty(m, np.int64), np.empty((m, 2))
    intensity, error = np.empty(m), np.empty(m)
    list_spots(*common, buffer, start[:-1], reflection, position, intensity, error)
    g = position * geometry.detector.calibration_per_angstrom
    return DetectedSpots(start, hkl[source.grains.label][reflection], g, intensity, error)
