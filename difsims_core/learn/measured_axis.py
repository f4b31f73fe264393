"""The axis of a scan as a model needs it: in Å⁻¹, by the beam energy of the model's simulations where that matters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from difsims_core.dataset.open import open_simulation
from difsims_core.errors import ExperimentError, InputError, StoreError
from difsims_core.signal.scan_axis import scan_axis
from difsims_core.unit_names import QUnit
from difsims_core.units import electron_wavelength_angstrom

if TYPE_CHECKING:
    from difsims_core.learn.bundle import ModelBundle

SAME_ENERGY = 0.02  # relative; the wavelength changes by half as much


def axis_for(
    bundle: ModelBundle, x: np.ndarray, q_unit: QUnit | None = None, beam_energy_kv: float | None = None
) -> np.ndarray:
    """Return the (n,) axis of a scan in Å⁻¹ (`scan_axis`).

    Parameters
    ----------
    bundle
        The model that the scan is for.
    x
        (n,) numbers of the file.
    q_unit
        Their unit; None: not stated, Å⁻¹ is expected.
    beam_energy_kv
        Of the scan, kV; for ``mrad`` alone. None: that of the simulations behind the model.

    Raises
    ------
    ExperimentError
        If the axis does not fit the model's, with the unit that it looks like.
    InputError
        If there is no such unit, or the beam energy is needed and not known.
    """
    wavelength = None
    if q_unit == "mrad":
        energy = _simulated_energy_kv(bundle) if beam_energy_kv is None else beam_energy_kv
        wavelength = electron_wavelength_angstrom(energy)
    return scan_axis(x, bundle.q_axis, q_unit, wavelength_angstrom=wavelength)


def require_same_energy(bundle: ModelBundle, url: str | Path, beam_energy_kv: float | None) -> None:
    """Refuse a scan of another beam energy than the simulations behind a model: which spots are seen, and how strong.

    Nothing is said where either is not known.

    Parameters
    ----------
    bundle
        The model that the scan is for.
    url
        The scan, for the message.
    beam_energy_kv
        Of the scan, kV; None: nobody said.

    Raises
    ------
    ExperimentError
        If the two differ by more than `SAME_ENERGY`.
    """
    if beam_energy_kv is None:
        return
    try:
        simulated = _simulated_energies_kv(bundle)
    except StoreError:
        return  # the datasets are gone, and the record of the model does not tell
    if simulated and all(abs(beam_energy_kv / energy - 1) > SAME_ENERGY for energy in simulated):
        found = " and ".join(f"{energy:g}" for energy in simulated)
        raise ExperimentError(
            f"{url}: was recorded at {beam_energy_kv:g} kV, the model was trained on patterns of {found} kV",
            "map it with a model of its energy (`difsims map SCAN --phases …` makes one), or correct the energy of the "
            "scan (reading.beam_energy_kv)",
        )


def _simulated_energy_kv(bundle: ModelBundle) -> float:
    remedy = "say at which beam energy the scan was taken (--beam-energy, beam_energy_kv in Python), in kV"
    try:
        energies = _simulated_energies_kv(bundle)
    except StoreError as error:
        raise InputError(
            f"mrad become Å⁻¹ by the beam energy, and the simulations cannot tell ({error})", remedy
        ) from None
    if len(energies) != 1:
        found = " and ".join(f"{energy:g} kV" for energy in energies) or "unknown energy"
        raise InputError(f"mrad become Å⁻¹ by the beam energy, but the model was simulated at {found}", remedy)
    return energies[0]


def _simulated_energies_kv(bundle: ModelBundle) -> list[float]:
    simulations = [open_simulation(name, bundle.store) for name in bundle.sim_ids] if bundle.store else []
    documents = [simulation.spec for simulation in (*simulations, bundle.simulation) if simulation is not None]
    return sorted({document.microscope.beam_energy_kv for document in documents})
