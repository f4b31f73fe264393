"""Noise-free detector images of many patterns (docs/physics.md §5)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from difsims_core.diffraction.sources import SpotSource, render
from difsims_core.diffraction.spread import REACH_SIGMA
from difsims_core.kernels.image.images import phase_images
from difsims_core.kernels.spots.records import Frame


def noise_free_images(
    frame: Frame, sources: Iterator[SpotSource], n: int, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Compute ``n`` images of ``shape`` from their spots on ``frame``; see ``Engine.images``."""
    images = np.zeros((n, *shape), np.float32)

    def draw(source: SpotSource, common: tuple) -> np.ndarray:
        return phase_images(*common[:5], REACH_SIGMA, *common[5:], source.grains.which, images)

    return images, render(sources, n, frame, draw)
