"""Counting noise and hot pixels, by the radial route (docs/physics.md §6; §7 for the legacy platform's order)."""

from __future__ import annotations

import numpy as np

from difsims_core.kernels.profile import noise as kernels
from difsims_core.randomness import Purpose


def apply_counting_noise(
    profiles: np.ndarray,
    pixel_counts: np.ndarray,
    unit: np.ndarray,
    dose: np.ndarray,
    snr: np.ndarray,
    intensity_spike: np.ndarray,
    seed: int,
    patterns: np.ndarray,
    wanted: slice = slice(None),
    first: slice = slice(13, 160),
) -> np.ndarray:
    """Return what a counting detector reads.

    In annulus i, m_i ~ Binomial(n_i, (1 − snr)/2) pixels are hot and read ``intensity_spike`` · P; the others count
    Poisson(dose · (n_i − m_i) · p_i / P) electrons together.

    Parameters
    ----------
    profiles
        (n, n_bins) noise-free mean intensity per pixel of each annulus.
    pixel_counts
        (n_bins,) pixels n_i of each annulus, or (n, n_bins) where they differ; an annulus without pixels reads 0.
    unit, dose, snr, intensity_spike
        (n,) unit of intensity P, counts a unit, probability that a pixel is left alone, reading of a hot pixel in P.
    seed, patterns
        Seed and (n,) global pattern indices: the address of the random numbers.
    wanted
        Bins that are wanted; the others come back as they are.
    first
        Bins whose numbers are drawn first, so that they do not depend on whether the others are wanted.

    Returns
    -------
    (n, n_bins) float32, in the units of ``profiles``.
    """
    order, segments = draw_order(profiles.shape[1], wanted, first)
    counted = np.array(profiles, np.float32)
    kernels.count_profiles(
        counted,
        np.atleast_2d(pixel_counts),
        np.asarray(unit, np.float64),
        np.asarray(dose, np.float64),
        (1 - np.asarray(snr, np.float64)) / 2,
        np.asarray(intensity_spike, np.float64),
        seed,
        patterns,
        int(Purpose.COUNTING),
        order,
        segments,
    )
    return counted


def draw_order(n_bins: int, wanted: slice, first: slice) -> tuple[np.ndarray, tuple[int, ...]]:
    """Return the bins in the order of their numbers, those of ``first`` at the front, and where runs of them end.

    A run is drawn whole or not at all; the second one, of all other bins, only when one of them is wanted.
    """
    bins = np.arange(n_bins)
    front = bins[first]
    others = np.delete(bins, first)
    segments = (len(front), n_bins) if np.isin(others, bins[wanted]).any() else (len(front),)
    return np.concatenate([front, others]), segments


def old_maxima(sigma_px: np.ndarray, seed: int, patterns: np.ndarray) -> np.ndarray:
    """Return (n,) what the legacy platform divided a noisy pattern by, in units of the noise-free maximum.

    It is the largest I + Poisson(I) of all pixels, taken here over those of the brightest spot of width ``sigma_px``.
    """
    maxima = np.empty(len(patterns))
    kernels.brightest_readings(np.asarray(sigma_px, np.float64), seed, patterns, int(Purpose.OLD_MAXIMUM), maxima)
    return maxima


def apply_historical_noise(
    profiles: np.ndarray,
    pixel_counts: np.ndarray,
    unit: np.ndarray,
    maxima: np.ndarray,
    snr: np.ndarray,
    intensity_spike: np.ndarray,
    seed: int,
    patterns: np.ndarray,
) -> np.ndarray:
    """Return what the legacy platform made of a pattern: parameters as in ``apply_counting_noise``.

    See docs/physics.md §7.

    It scaled its image to a maximum of 1 and left it alone when the spike was 0. Otherwise it added Poisson(pixel) to
    every pixel, divided by the largest one (``maxima``, of ``old_maxima``), and set hot pixels to the spike.
    """
    noisy = np.array(profiles, np.float32)
    kernels.old_profiles(
        noisy,
        np.atleast_2d(pixel_counts),
        np.asarray(unit, np.float64),
        maxima,
        (1 - np.asarray(snr, np.float64)) / 2,
        np.asarray(intensity_spike, np.float64),
        seed,
        patterns,
        int(Purpose.COUNTING),
    )
    return noisy
