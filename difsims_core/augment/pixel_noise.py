"""Counting noise and hot pixels, pixel by pixel: the image route (docs/physics.md §6)."""

from __future__ import annotations

import numpy as np

from difsims_core.kernels.profile import noise as kernels
from difsims_core.randomness import Purpose


def apply_pixel_noise(
    images: np.ndarray,
    unit: np.ndarray,
    dose: np.ndarray,
    snr: np.ndarray,
    intensity_spike: np.ndarray,
    seed: int,
    patterns: np.ndarray,
) -> np.ndarray:
    """Return what a counting detector reads, every pixel on its own.

    A pixel is hot with the probability (1 − snr)/2 and reads ``intensity_spike`` · P then; otherwise it counts
    Poisson(dose · I / P) electrons and reads their number · P / dose.

    Parameters
    ----------
    images
        (n, ny, nx) noise-free intensity per pixel.
    unit, dose, snr, intensity_spike
        (n,) unit of intensity P, counts a unit, probability that a pixel is left alone, reading of a hot pixel in P.
    seed, patterns
        Seed and (n,) global pattern indices: the address of the random numbers.

    Returns
    -------
    (n, ny, nx) float32, in the units of ``images``.
    """
    counted = np.array(images, np.float32)
    kernels.count_pixels(
        counted,
        np.asarray(unit, np.float64),
        np.asarray(dose, np.float64),
        (1 - np.asarray(snr, np.float64)) / 2,
        np.asarray(intensity_spike, np.float64),
        seed,
        np.asarray(patterns, np.int64),
        int(Purpose.COUNTING_PIXELS),
    )
    return counted
