"""Two-beam intensities: what extinction leaves of a reflection, averaged over orientations.

The intensity over its kinematical value is B(A) = (1/A) ∫₀^A J₀(2x) dx with A = π t / ξ_g, and the extinction distance
ξ_g = π Ω / (λ γ |F|): 1 for a thin crystal or a weak reflection, 1 / 2A for a thick or strong one, whose intensity then
goes as |F| instead of |F|².

References
----------
M. Blackman, On the intensities of electron diffraction rings, Proc. R. Soc. Lond. A 173 (1939) 68, eq. 16.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from difsims_core.units import electron_wavelength_angstrom, relativistic_factor

PER_UNIT = 128.0
"""Nodes of the table for a unit of A."""
KINEMATICAL = np.ones(2)
"""What stands for the table where no extinction asks for it."""
_REACH = 40.0


@cache
def blackman_table() -> np.ndarray:
    """Return (n,) values of B(A) for A in steps of 1/128 from 0 to 40."""
    from scipy.special import itj0y0  # kinematical intensities do without

    a = np.arange(1, int(_REACH * PER_UNIT)) / PER_UNIT
    return np.concatenate([[1.0], itj0y0(2 * a)[0] / (2 * a)])


def extinction(thickness_angstrom: np.ndarray, cell_volume: np.ndarray, beam_energy_kv: float) -> np.ndarray:
    """Return (n,) A / |F| = λ γ t / Ω, Å⁻¹, for thicknesses (n,) in Å and cell volumes (n,) in Å³."""
    per_length = electron_wavelength_angstrom(beam_energy_kv) * relativistic_factor(beam_energy_kv)
    return per_length * thickness_angstrom / cell_volume
