"""Units and constants (docs/physics.md §1): lengths in Å, q = 1/d in Å⁻¹ without 2π, accelerating voltage in kV."""

from __future__ import annotations

import math

from scipy import constants

from difsims_core.errors import InputError

ELECTRON_REST_ENERGY_EV = constants.m_e * constants.c**2 / constants.e
_ANGSTROM_PER_M = 1e10


def electron_wavelength_angstrom(beam_energy_kv: float) -> float:
    """Return the relativistic de Broglie wavelength of an electron, Å (docs/physics.md §1).

    Parameters
    ----------
    beam_energy_kv
        Accelerating voltage, kV.

    Raises
    ------
    InputError
        If the voltage is not positive.
    """
    if not beam_energy_kv > 0:
        raise InputError(f"the beam energy must be a positive number of kV, found {beam_energy_kv!r}")
    energy_ev = beam_energy_kv * 1e3
    momentum = math.sqrt(2 * constants.m_e * constants.e * energy_ev * (1 + energy_ev / (2 * ELECTRON_REST_ENERGY_EV)))
    return constants.h / momentum * _ANGSTROM_PER_M


def relativistic_factor(beam_energy_kv: float) -> float:
    """Return γ = 1 + eV / m₀c², the mass of the electron over its rest mass."""
    return 1 + beam_energy_kv * 1e3 / ELECTRON_REST_ENERGY_EV
