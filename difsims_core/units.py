"""Units and constants (docs/physics.md §1): lengths in Å, q = 1/d in Å⁻¹ without 2π, accelerating voltage in kV."""

from __future__ import annotations

import math

from difsims_core.errors import InputError

# CODATA 2022 (P. Mohr et al., Rev. Mod. Phys. 97 (2025) 025002), SI units. SciPy has the same values, and reads its
# tables of all constants for them.
_LIGHT_SPEED, _ELEMENTARY_CHARGE, _PLANCK = 299_792_458.0, 1.602176634e-19, 6.62607015e-34
_ELECTRON_MASS = 9.1093837139e-31
_ANGSTROM_PER_M = 1e10
ELECTRON_REST_ENERGY_EV = _ELECTRON_MASS * _LIGHT_SPEED**2 / _ELEMENTARY_CHARGE


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
    kinetic = 2 * _ELECTRON_MASS * _ELEMENTARY_CHARGE * energy_ev
    momentum = math.sqrt(kinetic * (1 + energy_ev / (2 * ELECTRON_REST_ENERGY_EV)))
    return _PLANCK / momentum * _ANGSTROM_PER_M


def relativistic_factor(beam_energy_kv: float) -> float:
    """Return γ = 1 + eV / m₀c², the mass of the electron over its rest mass."""
    return 1 + beam_energy_kv * 1e3 / ELECTRON_REST_ENERGY_EV
