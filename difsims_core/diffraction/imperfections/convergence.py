"""A convergent beam: spots become discs, and each direction of the beam excites a reflection as it meets it.

A beam with the transverse component u, |u| ≤ α / λ, has an Ewald sphere of its own: s(u) = h(|g + u|²) − h(u²) − g_z,
h being the height of the sphere above the plane. It reaches the detector at g + u. A disc is drawn as Gaussians of
width σ at points that fill it evenly.

References
----------
J. C. H. Spence, J. M. Zuo, Electron Microdiffraction (1992), ch. 2.
"""

from __future__ import annotations

import numpy as np

_FEWEST, _MOST = 7, 1500
LARGEST_SIGMAS = 21.0
"""Radius of a disc over σ up to which that many points make it even."""


def disc_radius(semi_angle_mrad: np.ndarray, wavelength_angstrom: float) -> np.ndarray:
    """Return (n,) the radius α / λ of the discs, Å⁻¹."""
    return semi_angle_mrad * 1e-3 / wavelength_angstrom


def disc_points(radius_px: np.ndarray, sigma_px: np.ndarray) -> np.ndarray:
    """Return (n,) int64 how many Gaussians of width σ make an even disc: one for each σ²; 1 where there is no disc."""
    points = np.clip(np.ceil(np.pi * (radius_px / sigma_px) ** 2), _FEWEST, _MOST).astype(np.int64)
    return np.where(radius_px > 0, points, 1)


def peak_density(radius_px: np.ndarray, sigma_px: np.ndarray) -> np.ndarray:
    """Return (n,) the intensity per pixel at the centre of a disc of unit volume blurred by σ, or of a Gaussian alone.

    It is (1 − exp(−R² / 2σ²)) / πR², and 1 / 2πσ² for R = 0.
    """
    radius2, spread = radius_px**2, 2 * sigma_px**2
    flat = -np.expm1(-radius2 / spread) / np.where(radius2 > 0, radius2, 1)
    return np.where(radius2 > 0, flat, 1 / spread) / np.pi
