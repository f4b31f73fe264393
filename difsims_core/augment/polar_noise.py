"""Counting noise and hot pixels in polar cells, without an image (docs/physics.md §6)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from difsims_core.kernels.polar import cells as kernels
from difsims_core.randomness import Purpose


def apply_polar_noise(
    polar_patterns: np.ndarray,
    pixels: np.ndarray,
    pixel_counts: np.ndarray,
    unit: np.ndarray,
    noise: Mapping[str, np.ndarray],
    address: tuple[int, np.ndarray],
    bins: slice,
    order: tuple[np.ndarray, tuple[int, ...]],
    maxima: np.ndarray | None = None,
) -> None:
    """Replace noise-free polar patterns by what a counting detector reads, in place.

    A cell of n effective pixels counts Poisson(dose · n · I / P) electrons, so that an annulus as a whole counts
    exactly as in the radial route; a hot pixel reads ``intensity_spike`` · P, in as many cells as it spans.

    Parameters
    ----------
    polar_patterns
        (n, n_rows, 360) float32, mean intensity per pixel of each cell of the annuli ``bins``.
    pixels
        (1 or n, 256, 360) effective pixels of each cell; one without pixels reads 0.
    pixel_counts
        (256,) pixels of each annulus.
    unit
        (n,) unit of intensity P.
    noise
        ``dose``, ``snr`` and ``intensity_spike``, (n,) each, with the meaning of ``apply_counting_noise``.
    address
        Seed and (n,) global pattern indices.
    bins, order
        The annuli of the rows, and the order in which numbers are drawn, of ``draw_order``.
    maxima
        (n,) of ``old_maxima``, for the noise of the legacy platform (docs/physics.md §7).
    """
    kernels.count_cells(
        polar_patterns,
        pixels,
        pixel_counts,
        np.asarray(unit, np.float64),
        np.asarray(noise["dose"], np.float64),
        (1 - np.asarray(noise["snr"], np.float64)) / 2,
        np.asarray(noise["intensity_spike"], np.float64),
        *address,
        int(Purpose.COUNTING_POLAR),
        *order,
        bins.start,
        np.zeros(len(polar_patterns)) if maxima is None else maxima,
    )
