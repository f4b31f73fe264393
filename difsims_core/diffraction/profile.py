"""Noise-free radial profiles of many patterns, by the radial route (docs/physics.md §§4–5)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from difsims_core.diffraction.geometry import Geometry
from difsims_core.diffraction.sources import SpotSource, render
from difsims_core.diffraction.spread import annulus_areas_px
from difsims_core.kernels.profile.profiles import phase_profiles


def noise_free_profiles(geometry: Geometry, sources: Iterator[SpotSource], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute the profiles of ``n`` patterns from their spots on ``geometry.frame``; see ``Engine.profiles``."""
    profiles = np.zeros((n, geometry.grid.n_bins), np.float32)
    detector, grid = geometry.detector, geometry.grid
    annuli = (grid.step_per_angstrom / detector.calibration_per_angstrom, annulus_areas_px(detector, grid))

    def draw(source: SpotSource, common: tuple) -> np.ndarray:
        return phase_profiles(*common[:5], geometry.spread, annuli, *common[5:], source.grains.which, profiles)

    return profiles, render(sources, n, geometry.frame, draw)
