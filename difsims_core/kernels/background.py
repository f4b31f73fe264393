"""Smooth radial backgrounds (PHYSICS §7)."""

from __future__ import annotations

import math

from difsims_core.kernels.compile import kernel

EXPONENTIAL, POWER_LAW = range(2)


@kernel
def add_background(profiles, q, height, amplitude, decay, model):
    """Add A · height · exp(−τ q) or A · height · q^(−τ) to each profile, in place.

    Parameters
    ----------
    profiles
        (n, n_bins) float32.
    q
        (n_bins,) Å⁻¹, positive where ``model`` is the power law.
    height, amplitude, decay
        (n,) what the amplitude is relative to, A and τ.
    """
    for i in range(profiles.shape[0]):
        level = amplitude[i] * height[i]
        if level == 0.0:
            continue
        for b in range(q.shape[0]):
            shape = math.exp(-decay[i] * q[b]) if model == EXPONENTIAL else q[b] ** (-decay[i])
            profiles[i, b] += level * shape
