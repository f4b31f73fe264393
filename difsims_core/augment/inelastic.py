"""Electrons that lost energy: Lenz's angular distribution, added before counting.

With x = q² + q_E², the intensity goes as (1 − (1 + x / q₀²)⁻²) / x², where q_E = θ_E / λ belongs to the mean energy
loss (θ_E = ΔE / γ m₀ v²) and q₀ = 1 / (2π r₀) to Wentzel's screened atom of radius r₀.

References
----------
F. Lenz, Zur Streuung mittelschneller Elektronen in kleinste Winkel, Z. Naturforsch. 9a (1954) 185.
R. F. Egerton, Electron Energy-Loss Spectroscopy in the Electron Microscope, 3rd ed. (2011), eq. 3.16.
"""

from __future__ import annotations

import numpy as np

from difsims_core.kernels.profile import background as kernels
from difsims_core.units import ELECTRON_REST_ENERGY_EV, electron_wavelength_angstrom, relativistic_factor

REFERENCE_PER_ANGSTROM = 0.1
"""Where the distribution is 1."""


def inelastic_shapes(q: np.ndarray, screening: np.ndarray, energy_loss_ev: float, beam_energy_kv: float) -> np.ndarray:
    """Return the (n, n_bins) float32 distributions, 1 at q = 0.1 Å⁻¹.

    Parameters
    ----------
    q
        (n_bins,) grid, Å⁻¹.
    screening
        (n,) q₀, Å⁻¹.
    energy_loss_ev, beam_energy_kv
        Mean energy loss, eV, and accelerating voltage, kV.
    """
    shapes = np.empty((len(screening), len(q)), np.float32)
    kernels.lenz(
        shapes, q, characteristic_q(energy_loss_ev, beam_energy_kv), np.asarray(screening, np.float64),
        REFERENCE_PER_ANGSTROM,
    )  # fmt: skip
    return shapes


def characteristic_q(energy_loss_ev: float, beam_energy_kv: float) -> float:
    """Return q_E = θ_E / λ, Å⁻¹, with θ_E = ΔE / (γ m₀ v²) and γ m₀ v² = m₀c² (γ² − 1) / γ."""
    gamma = relativistic_factor(beam_energy_kv)
    theta = energy_loss_ev / (ELECTRON_REST_ENERGY_EV * (gamma**2 - 1) / gamma)
    return theta / electron_wavelength_angstrom(beam_energy_kv)
