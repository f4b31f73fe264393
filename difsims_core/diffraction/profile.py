"""Noise-free radial profiles of many patterns, by the radial route (PHYSICS §§4–5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from difsims_core.crystal.rows import ReflectionRows
from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.geometry import Geometry
from difsims_core.diffraction.grains import grains, render
from difsims_core.diffraction.spread import annulus_areas_px
from difsims_core.kernels.profile.profiles import phase_profiles


def noise_free_profiles(
    geometry: Geometry, phases: Sequence[ReflectionRows], draws: Draws, labels: np.ndarray, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the profiles of some patterns.

    Parameters
    ----------
    geometry, phases
        What the patterns share, and the reflections of each phase.
    draws
        What was drawn for them.
    labels
        (n,) phase of each; a label beyond the phases has no spots.
    seed
        Of random intensities.

    Returns
    -------
    profiles : (n, n_bins) float32
        Mean intensity per pixel of each annulus.
    unit : (n,) float64
        Unit of intensity P, 1 for a pattern without spots (PHYSICS §6).
    """
    profiles = np.zeros((len(labels), geometry.grid.n_bins), np.float32)
    detector, grid = geometry.detector, geometry.grid
    annuli = (grid.step_per_angstrom / detector.calibration_per_angstrom, annulus_areas_px(detector, grid))
    unit = render(
        geometry,
        grains(geometry, phases, draws, labels, seed),
        len(labels),
        geometry.frame,
        lambda item, common: phase_profiles(*common[:4], geometry.spread, annuli, *common[4:], item.which, profiles),
    )
    return profiles, unit
