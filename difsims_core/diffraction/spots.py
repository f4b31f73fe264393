"""Lists of spots: the peak-position library, and the spots of chosen orientations (PHYSICS §§3–5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from difsims_core.crystal.rows import ReflectionRows
from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.geometry import Geometry
from difsims_core.diffraction.grains import Grains, grains
from difsims_core.kernels.spots.peaks import count_spots, list_spots
from difsims_core.kernels.spots.records import room_for_spots


@dataclass(frozen=True, slots=True)
class Spots:
    """Diffraction spots of ``n`` patterns, stored end to end.

    Attributes
    ----------
    start : (n + 1,) int64
        Spots of pattern ``i`` are ``start[i]:start[i + 1]``.
    hkl : (m, 3) int16
        Miller indices.
    g : (m, 2) float64
        In-plane scattering vectors as the detector shows them at its nominal calibration, Å⁻¹ (PHYSICS §1).
    intensity : (m,) float64
        |F|² times shape factor, and what the document does to it; without direct beam and removed spots.
    excitation_error : (m,) float64
        Å⁻¹ (PHYSICS §4).
    """

    start: np.ndarray
    hkl: np.ndarray
    g: np.ndarray
    intensity: np.ndarray
    excitation_error: np.ndarray


def list_patterns_spots(
    geometry: Geometry, phases: Sequence[ReflectionRows], draws: Draws, labels: np.ndarray, seed: int = 0
) -> Spots:
    """Return the spots on the detector of some patterns; parameters as ``noise_free_profiles``.

    A convergence disc counts as one spot; of two grains, those of the first come first.
    """
    n = len(labels)
    parts = [_spots_of(geometry, item) for item in grains(geometry, phases, draws, labels, seed) if len(item.which)]
    counts = np.zeros(n, np.int64)
    for which, spots in parts:
        counts[which] += np.diff(spots.start)
    start = np.concatenate([[0], np.cumsum(counts)])
    hkl, g = np.empty((start[-1], 3), np.int16), np.empty((start[-1], 2))
    intensity, error = np.empty(start[-1]), np.empty(start[-1])
    filled = start[:-1].copy()
    for which, spots in parts:
        sizes = np.diff(spots.start)
        to = np.repeat(filled[which] - spots.start[:-1], sizes) + np.arange(len(spots.hkl))
        hkl[to], g[to], intensity[to], error[to] = spots.hkl, spots.g, spots.intensity, spots.excitation_error
        filled[which] += sizes
    return Spots(start, hkl, g, intensity, error)


def most_spots(phases: Sequence[ReflectionRows], *, two_grains: bool) -> int:
    """Return a bound of the number of spots of one pattern that no orientation exceeds."""
    bound = max(int(np.count_nonzero(rows.lattice.intensity[:, 0])) for rows in phases)
    return bound * (2 if two_grains else 1)


def _spots_of(geometry: Geometry, item: Grains) -> tuple[np.ndarray, Spots]:
    lattice, known = item.rows.lattice, item.conditions
    common = (known, lattice, geometry.beam, geometry.frame, item.random)
    room = room_for_spots(lattice)
    counts = np.zeros(len(item.which), np.int64)
    count_spots(*common, room, counts)
    start = np.concatenate([[0], np.cumsum(counts)])
    m = start[-1]
    place, position = np.empty(m, np.int64), np.empty((m, 2))
    intensity, error = np.empty(m), np.empty(m)
    list_spots(*common, room, start[:-1], place, position, intensity, error)
    g = position * geometry.detector.calibration_per_angstrom
    return item.which, Spots(start, item.rows.hkl[place], g, intensity, error)
