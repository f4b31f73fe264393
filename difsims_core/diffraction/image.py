"""Noise-free detector images of many patterns (PHYSICS §5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from difsims_core.crystal.rows import ReflectionRows
from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.geometry import Geometry
from difsims_core.diffraction.grains import grains, render
from difsims_core.diffraction.spread import REACH_SIGMA
from difsims_core.kernels.image.images import phase_images


def noise_free_images(
    geometry: Geometry,
    phases: Sequence[ReflectionRows],
    draws: Draws,
    labels: np.ndarray,
    shape: tuple[int, int],
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the images (n, ny, nx) float32 of some patterns, intensity per pixel sampled at the pixel centres.

    Parameters and unit as ``noise_free_profiles``. The beam is at the centre of the frame; x runs along columns.
    """
    images = np.zeros((len(labels), *shape), np.float32)
    unit = render(
        geometry,
        grains(geometry, phases, draws, labels, seed),
        len(labels),
        geometry.image_frame(shape),
        lambda item, common: phase_images(*common[:4], REACH_SIGMA, *common[4:], item.which, images),
    )
    return images, unit
