"""Patterns of one phase, one after another: turn the lattice, collect its spots, spread them (PHYSICS §§4–5)."""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel
from difsims_core.kernels.ewald import excited_spots
from difsims_core.kernels.render import render_spots
from difsims_core.kernels.spread import remove_brightest, spots_to_profile


@kernel
def rotation_matrix(a, b, c, d):
    """Return the matrix that takes crystal vectors to the laboratory: the inverse of the orix rotation (a, b, c, d)."""
    norm = math.sqrt(a * a + b * b + c * c + d * d)
    a, b, c, d = a / norm, b / norm, c / norm, d / norm
    out = np.empty((3, 3))
    out[0, 0], out[0, 1], out[0, 2] = 1 - 2 * (c * c + d * d), 2 * (b * c + a * d), 2 * (b * d - a * c)
    out[1, 0], out[1, 1], out[1, 2] = 2 * (b * c - a * d), 1 - 2 * (b * b + d * d), 2 * (c * d + a * b)
    out[2, 0], out[2, 1], out[2, 2] = 2 * (b * d + a * c), 2 * (c * d - a * b), 1 - 2 * (b * b + c * c)
    return out


@kernel
def turned_axes(quaternion, axes, scale):
    """Return the (3, 3) reciprocal axes of the scaled lattice in the laboratory, as rows."""
    matrix = rotation_matrix(quaternion[0], quaternion[1], quaternion[2], quaternion[3])
    turned = np.empty((3, 3))
    for row in range(3):
        for column in range(3):
            total = 0.0
            for j in range(3):
                total += matrix[column, j] * axes[row, j]
            turned[row, column] = total / scale
    return turned


@kernel
def phase_profiles(
    orientation, lattice_scale, per_px, width, angle, sigma, removed, beam, lattice, sphere, model, frame, spread,
    where, profiles,
):  # fmt: skip
    """Write the noise-free profiles of patterns of one phase and one σ, and return their units of intensity.

    Parameters
    ----------
    orientation
        (m, 4) quaternions.
    lattice_scale, per_px, width, angle, removed, beam
        (m,) lattice scale, Å⁻¹ per pixel, relrod width (Å⁻¹), precession angle (radians), removal mask, direct beam.
    sigma
        Standard deviation of a spot, pixels.
    lattice
        axes, rows, bounds, offsets, intensity of ``excited_spots``; centre and half of the lattice scale's range.
    sphere
        1/λ and the largest excitation error, Å⁻¹.
    model
        Shape factor.
    frame
        Largest nominal |g| and nominal Å⁻¹ per pixel; half the detector's edge and the reach of a spot, pixels.
    spread
        Spacing, starts and weights of the spread operator; number of annuli that the frame does not cut.
    where, profiles
        (m,) rows of ``profiles`` (n, n_bins) float32 to write.

    Returns
    -------
    (m,) float64: max I / 2πσ²; 1 for a pattern without spots.
    """
    axes, rows, bounds, offsets, intensity, centre, half = lattice
    k, s_max = sphere
    reach, nominal_per_px, half_px, rim_px = frame
    spacing, starts, weights, whole = spread
    band = weights.shape[0] // starts.shape[0]
    hits = np.empty((intensity.shape[0] + 1, 3))
    cells = np.empty(starts.shape[0], np.float32)
    unit = np.ones(where.shape[0])
    for i in range(where.shape[0]):
        turned = turned_axes(orientation[i], axes, lattice_scale[i])
        n, beside = excited_spots(
            turned, rows, bounds, offsets, intensity, (lattice_scale[i] - centre) / half, k, s_max,
            width[i], angle[i], model, reach * per_px[i] / nominal_per_px, half_px * per_px[i],
            rim_px * per_px[i], hits,
        )  # fmt: skip
        if removed[i] != np.uint64(0):
            n = remove_brightest(hits, n, removed[i])
        brightest = spots_to_profile(
            hits, n, beside, per_px[i], beam[i], spacing, starts, weights, band, whole, cells, profiles[where[i]],
        )  # fmt: skip
        if brightest > 0.0:
            unit[i] = brightest / (2.0 * math.pi * sigma * sigma)
    return unit


@kernel
def phase_images(orientation, per_px, width, angle, sigma, lattice, sphere, model, extent, images):
    """Add the spots of patterns of one phase to ``images`` (m, ny, nx); parameters as in ``phase_profiles``.

    ``extent`` holds the largest |g| that reaches the frame, in Å⁻¹, and the reach of a spot, in pixels.
    """
    axes, rows, bounds, offsets, intensity, centre, _ = lattice
    k, s_max = sphere
    rho_max, reach = extent
    hits = np.empty((intensity.shape[0] + 1, 3))
    for i in range(images.shape[0]):
        turned = turned_axes(orientation[i], axes, centre)
        n, _ = excited_spots(
            turned, rows, bounds, offsets, intensity, 0.0, k, s_max, width, angle, model, rho_max, rho_max, 0.0, hits
        )
        render_spots(hits, n, per_px, sigma, reach, images[i])
