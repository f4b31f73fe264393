"""Noise-free profiles of chosen orientations: for checks, template libraries and teaching."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from orix.crystal_map import Phase
from orix.quaternion import Rotation

from difsims_core.config.documents import make_spec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.phases import Crystal, load_phase
from difsims_core.crystal.rows import reflection_rows
from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.profile import Geometry, noise_free_profiles, reach_per_angstrom
from difsims_core.diffraction.spread import spread_operator
from difsims_core.signal.grid import RadialGrid
from difsims_core.units import electron_wavelength_angstrom


def radial_profiles(
    phase: str | Path | Phase,
    rotations: Rotation,
    *,
    beam_energy_kv: float = 200,
    max_excitation_error: float = 0.02,
    relrod_width: float = 0.02,
    sigma_px: float = 4.0,
    calibration: float = 0.00588,
    detector_size: int = 515,
    precession_angle_deg: float = 0.0,
    shape_factor: str = "lorentzian",
    lattice_scale: float = 1.0,
    scattering_factors: str = "lobato",
) -> np.ndarray:
    """Return the noise-free radial profile of each orientation, not normalised.

    Parameters
    ----------
    phase
        A catalogue name, the path of a CIF file, or an orix phase.
    rotations
        n orientations (crystal ← sample, as orix defines it).
    beam_energy_kv
        Accelerating voltage, kV.
    max_excitation_error, relrod_width
        Å⁻¹ (PHYSICS §4).
    sigma_px
        Standard deviation of a spot, pixels.
    calibration, detector_size
        Å⁻¹ per pixel, and pixels along one edge.
    precession_angle_deg
        Precession angle, degrees; the Lorentzian shape factor only.
    shape_factor, scattering_factors
        Models, as in the parameter document.
    lattice_scale
        Factor on a, b, c.

    Returns
    -------
    (n, 256) float32: mean intensity per pixel of each annulus (PHYSICS §2).

    Raises
    ------
    InputError
        If the phase cannot be read or a value is out of range.
    """
    spec = make_spec(
        {
            "microscope": {"beam_energy_kv": beam_energy_kv},
            "detector": {"size_px": detector_size, "calibration_per_angstrom": calibration},
            "diffraction": {
                "max_excitation_error_per_angstrom": max_excitation_error,
                "relrod_width_per_angstrom": relrod_width,
                "precession_angle_deg": precession_angle_deg,
                "shape_factor": shape_factor,
                "scattering_factors": scattering_factors,
            },
            "lattice_scale": lattice_scale,
            "spots": {"sigma_px": sigma_px},
        },
        SimulationSpec,
        source="radial_profiles",
    )
    read = load_phase(phase)
    quaternions = np.asarray(rotations.data, float).reshape(-1, 4)
    n, grid = len(quaternions), RadialGrid()
    spread = spread_operator(spec.detector, grid, np.array([sigma_px], np.float32))
    geometry = Geometry(
        electron_wavelength_angstrom(beam_energy_kv),
        max_excitation_error,
        shape_factor,
        spec.detector,
        grid,
        spread,
    )
    reach = reach_per_angstrom(spec.detector, grid, sigma_px)
    rows = reflection_rows(
        Crystal(read.name, "", "", read), reach, scattering_factors, "none", (lattice_scale, lattice_scale)
    )
    profiles = np.empty((n, grid.n_bins), np.float32)
    draws = _chosen(quaternions, lattice_scale, relrod_width, precession_angle_deg, sigma_px)
    noise_free_profiles(geometry, rows, draws, np.arange(n), profiles)
    return profiles


def _chosen(quaternions: np.ndarray, scale: float, width: float, angle_deg: float, sigma_px: float) -> Draws:
    """Return draws that hold the chosen values instead of random ones."""
    n = len(quaternions)

    def same(value: float) -> np.ndarray:
        return np.full(n, value, np.float32)

    return Draws(
        orientation=quaternions,
        lattice_scale=np.full(n, scale),
        calibration_scale=same(1),
        relrod_width_per_angstrom=np.full(n, width),
        precession_angle_deg=same(angle_deg),
        sigma_px=same(sigma_px),
        removed_spots=np.zeros(n, np.uint64),
        direct_beam=same(0),
        dose=same(np.inf),
        snr=same(1),
        intensity_spike=same(0),
        background_amplitude=same(0),
        background_decay_angstrom=same(0),
    )
