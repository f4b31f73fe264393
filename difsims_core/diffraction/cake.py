"""Noise-free polar patterns of many patterns, drawn into their cells without an image (PHYSICS §§2, 5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from difsims_core.crystal.rows import ReflectionRows
from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.geometry import Geometry
from difsims_core.diffraction.grains import grains, render
from difsims_core.diffraction.spread import annulus_areas_px
from difsims_core.kernels.polar.cakes import phase_cakes
from difsims_core.kernels.spots.records import N_AZIMUTH

_REACH_SIGMA = 4.8  # across the annuli: there a spot has fallen to 10⁻⁵ of its height


def noise_free_cakes(
    geometry: Geometry,
    phases: Sequence[ReflectionRows],
    draws: Draws,
    labels: np.ndarray,
    bins: slice,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the polar patterns of some patterns; parameters as ``noise_free_profiles``, over the annuli ``bins``.

    Returns
    -------
    cakes : (n, n_rows, 360) float32
        Mean intensity per pixel of each cell. Where the frame cuts an annulus, cells beyond it hold what a larger
        detector would see.
    unit : (n,) float64
        As ``noise_free_profiles``.
    """
    first, stop, _ = bins.indices(geometry.grid.n_bins)
    step_px = geometry.grid.step_per_angstrom / geometry.detector.calibration_per_angstrom
    outer = (np.arange(geometry.grid.n_bins) + 0.5) * step_px
    whole = np.pi * (outer**2 - np.maximum(outer - step_px, 0) ** 2)
    density = annulus_areas_px(geometry.detector, geometry.grid) / whole
    cakes = np.zeros((len(labels), stop - first, N_AZIMUTH), np.float32)
    polar = (first, geometry.grid.n_bins, step_px, _REACH_SIGMA, density)
    unit = render(
        geometry,
        grains(geometry, phases, draws, labels, seed),
        len(labels),
        geometry.frame,
        lambda item, common: phase_cakes(*common[:4], geometry.spread, polar, *common[4:], item.which, cakes),
    )
    return cakes, unit
