"""Smooth radial intensities: backgrounds and rings (docs/physics.md §7)."""

from __future__ import annotations

import math

from difsims_core.kernels.compile import kernel


@kernel
def exponential(shapes, q, decay):
    """Fill ``shapes`` (n, n_bins) with exp(−τ q) on an evenly spaced grid, ``decay`` (n,) being τ."""
    for i in range(shapes.shape[0]):
        ratio = math.exp(-decay[i] * (q[1] - q[0]))
        value = math.exp(-decay[i] * q[0])
        for b in range(q.shape[0]):
            shapes[i, b] = value
            value *= ratio


@kernel
def power_law(shapes, q, decay):
    """Fill ``shapes`` (n, n_bins) with q^(−τ), q positive."""
    for i in range(shapes.shape[0]):
        for b in range(q.shape[0]):
            shapes[i, b] = q[b] ** (-decay[i])


@kernel
def gaussian_ring(shapes, q, position, width):
    """Fill ``shapes`` (n, n_bins) with exp(−(q − q₀)² / 2w²)."""
    for i in range(shapes.shape[0]):
        for b in range(q.shape[0]):
            x = (q[b] - position[i]) / width[i]
            shapes[i, b] = math.exp(-0.5 * x * x)


@kernel
def lenz(shapes, q, q_e, screening, q_reference):
    """Fill ``shapes`` (n, n_bins) with Lenz's angular distribution, 1 at ``q_reference``."""
    for i in range(shapes.shape[0]):
        x = q_reference * q_reference + q_e * q_e
        norm = (1.0 - (1.0 + x / screening[i] ** 2) ** -2) / (x * x)
        for b in range(q.shape[0]):
            x = q[b] * q[b] + q_e * q_e
            shapes[i, b] = (1.0 - (1.0 + x / screening[i] ** 2) ** -2) / (x * x) / norm


@kernel
def add_scaled(profiles, shapes, height, amplitude):
    """Add amplitude · height · shape to each profile, in place; ``height`` and ``amplitude`` are (n,)."""
    for i in range(profiles.shape[0]):
        level = amplitude[i] * height[i]
        if level == 0.0:
            continue
        for b in range(profiles.shape[1]):
            profiles[i, b] += level * shapes[i, b]
