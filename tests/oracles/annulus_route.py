"""The exact mean of Gaussian spots over whole annuli, from the Rice distribution (docs/physics.md §2, §5).

A Gaussian spot of standard deviation σ at radius ρ has the fraction F(R) of its volume within radius R of
the beam, F the distribution function of the Rice law: (R/σ)² is noncentral χ² with two degrees of freedom
and noncentrality (ρ/σ)². Its density is 2πr p(r), with p(r) the azimuthal mean of docs/physics.md §5. Frame
corners are not cut here: right wherever the annulus lies within the frame.
"""

import numpy as np
from scipy.special import i0e
from scipy.stats import ncx2

from tests.oracles.ewald import Spots
from tests.oracles.image_route import CALIBRATION_PER_ANGSTROM, annulus_areas_px, annulus_edges_px


def azimuthal_mean(r_px: np.ndarray, rho_px: float, sigma_px: float) -> np.ndarray:
    """Return p(r) of one spot of unit intensity, per px² (docs/physics.md §5)."""
    gaussian = np.exp(-((r_px - rho_px) ** 2) / (2 * sigma_px**2))
    return gaussian * i0e(r_px * rho_px / sigma_px**2) / (2 * np.pi * sigma_px**2)


def volume_within(radius_px: np.ndarray, spots: Spots, sigma_px: float, calibration: float) -> np.ndarray:
    """Return the summed volume of all spots within each radius."""
    rho = np.hypot(spots.gx, spots.gy) / calibration
    fraction = ncx2.cdf((radius_px[:, None] / sigma_px) ** 2, 2, (rho[None, :] / sigma_px) ** 2)
    return fraction @ spots.intensity


def profile(spots: Spots, *, sigma_px: float, calibration: float = CALIBRATION_PER_ANGSTROM) -> np.ndarray:
    """Return the mean intensity per pixel of every whole annulus, (256,)."""
    within = volume_within(annulus_edges_px(calibration), spots, sigma_px, calibration)
    return np.diff(within) / annulus_areas_px(calibration)
