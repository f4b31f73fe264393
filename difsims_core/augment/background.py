"""Smooth radial backgrounds A · exp(−τ q) and A · q^(−τ) (PHYSICS §7)."""

from __future__ import annotations

import numpy as np

from difsims_core.kernels import background as kernels

MODELS = {"exponential": kernels.EXPONENTIAL, "power_law": kernels.POWER_LAW}


def apply_background(
    profiles: np.ndarray, q: np.ndarray, height: np.ndarray, amplitude: np.ndarray, decay: np.ndarray, model: str
) -> np.ndarray:
    """Return profiles with a background added.

    Parameters
    ----------
    profiles
        (n, n_bins) intensities.
    q
        (n_bins,) grid, Å⁻¹. The power law, infinite at q = 0, takes the innermost bin at a quarter of its step.
    height
        (n,) what the amplitude is relative to: the maximum of the noise-free profile, or 1.
    amplitude, decay
        (n,) A, and τ in Å (an exponent for the power law).
    model
        ``exponential`` or ``power_law``.
    """
    q = np.maximum(q, (q[1] - q[0]) / 4) if model == "power_law" else q
    added = np.array(profiles, np.float32)
    height, amplitude, decay = (np.asarray(values, np.float64) for values in (height, amplitude, decay))
    kernels.add_background(added, q, height, amplitude, decay, MODELS[model])
    return added
