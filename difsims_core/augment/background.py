"""Smooth radial backgrounds A · exp(−τ q) and A · q^(−τ) (docs/physics.md §7)."""

from __future__ import annotations

import numpy as np

from difsims_core.kernels.profile import background as kernels


def background_shapes(q: np.ndarray, decay: np.ndarray, model: str) -> np.ndarray:
    """Return the (n, n_bins) float32 shapes of unit amplitude.

    Parameters
    ----------
    q
        (n_bins,) grid, Å⁻¹. The power law, infinite at q = 0, takes the innermost bin at a quarter of its step.
    decay
        (n,) τ in Å, an exponent for the power law.
    model
        ``exponential`` or ``power_law``.
    """
    shapes = np.empty((len(decay), len(q)), np.float32)
    if model == "power_law":
        kernels.power_law(shapes, np.maximum(q, (q[1] - q[0]) / 4), np.asarray(decay, np.float64))
    else:
        kernels.exponential(shapes, q, np.asarray(decay, np.float64))
    return shapes


def add_shapes(profiles: np.ndarray, shapes: np.ndarray, height: np.ndarray, amplitude: np.ndarray) -> None:
    """Add amplitude · height · shape to each profile (n, n_bins) float32, in place.

    ``height`` (n,) is what the amplitude is relative to: the maximum of the noise-free profile, or 1.
    """
    kernels.add_scaled(profiles, shapes, np.asarray(height, np.float64), np.asarray(amplitude, np.float64))
