"""What a simulation gives for a run of patterns: the value that travels to the store or to the user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from difsims_core.signal.polar_grid import PolarGrid


@dataclass(frozen=True, slots=True)
class Peaks:
    """Spots of ``n`` patterns, stored end to end: the peak-position library (docs/physics.md §5).

    Attributes
    ----------
    start : (n + 1,) int64
        Spots of pattern ``i`` are ``start[i]:start[i + 1]``.
    hkl : (m, 3) int16
        Miller indices.
    g : (m, 2) float32
        In-plane scattering vector, Å⁻¹, as the pattern shows it at the nominal calibration.
    intensity : (m,) float32
        Kinematical intensity times shape factor, and what the document does to it; removed spots are left out.

    Unless the document asks for exact numbers, ``g`` is rounded by up to 3 · 10⁻⁵ Å⁻¹ and ``intensity`` by up to half a
    thousandth of itself.
    """

    start: np.ndarray
    hkl: np.ndarray
    g: np.ndarray
    intensity: np.ndarray


@dataclass(frozen=True, slots=True)
class Block:
    """Simulated patterns ``start`` … ``stop``.

    Attributes
    ----------
    x_px : (n, 147) float32
        Profiles over the pixel crop, min–max normalised: the classifier's input.
    y : (n,) uint8
        Class labels; where two grains overlap, that of the larger one.
    x_all : (n, 256) float32 or None
        Profiles over the whole grid, min–max normalised; when kept.
    x_q : (n, m) float32 or None
        Profiles over the q crop; when asked for.
    polar_px, polar_all : (n, 147, 360), (n, 256, 360) float32 or None
        Polar patterns, radius by azimuth, min–max normalised over both; when asked for.
    polar : (n, n_radii, n_azimuths) float32 or None
        Polar patterns on the reduced grid, min–max normalised over both; when asked for.
    fractions : (n, n_classes) float32 or None
        Volume fraction of each class, rows sum to 1; when grains overlap.
    draws : mapping of name to (n, …) array
        Everything drawn, see ``Draws``.
    peaks : Peaks or None
        The spots of each pattern; when asked for.
    q_px, q_all, q_q : (147,), (256,), (m,) float64
        q axes, Å⁻¹.
    azimuth : (360,) float64
        Centres of the azimuthal bins, degrees from +x (columns) towards +y (rows).
    polar_grid : PolarGrid or None
        The reduced grid, with its axes; when it is asked for.
    """

    start: int
    stop: int
    x_px: np.ndarray
    y: np.ndarray
    x_all: np.ndarray | None
    x_q: np.ndarray | None
    draws: Mapping[str, np.ndarray]
    q_px: np.ndarray
    q_all: np.ndarray
    q_q: np.ndarray | None
    azimuth: np.ndarray
    polar_px: np.ndarray | None = None
    polar_all: np.ndarray | None = None
    polar: np.ndarray | None = None
    polar_grid: PolarGrid | None = None
    fractions: np.ndarray | None = None
    peaks: Peaks | None = None
