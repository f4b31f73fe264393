"""Noise-free profiles and images of chosen orientations: for checks, template libraries and teaching."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from orix.crystal_map import Phase
from orix.quaternion import Rotation

from difsims_core.config.documents import make_spec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.phases import Crystal, load_phase
from difsims_core.crystal.rows import ReflectionRows, reflection_rows
from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.profile import SHAPE_FACTORS, Geometry, lattice_arrays, noise_free_profiles
from difsims_core.diffraction.spread import REACH_SIGMA, reach_per_angstrom, spread_operator
from difsims_core.errors import InputError
from difsims_core.kernels.patterns import phase_images
from difsims_core.signal.grid import RadialGrid
from difsims_core.units import electron_wavelength_angstrom


def radial_profiles(
    phase: str | Path | Phase,
    rotations: Rotation,
    beam_energy_kv: float = 200,
    max_excitation_error: float = 0.02,
    relrod_width: float = 0.02,
    sigma_px: float = 4.0,
    calibration: float = 0.00588,
    detector_size: int = 515,
    **further: Any,
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
    further
        ``precession_angle_deg`` (0), ``shape_factor`` ("lorentzian"), ``scattering_factors`` ("lobato") and
        ``lattice_scale`` (1), with the meaning they have in a parameter document.

    Returns
    -------
    (n, 256) float32: mean intensity per pixel of each annulus (PHYSICS §2).

    Raises
    ------
    InputError
        If the phase cannot be read, ``rotations`` are no rotations, or a value is out of range.
    """
    spec = _spec(beam_energy_kv, max_excitation_error, relrod_width, sigma_px, calibration, detector_size, further)
    quaternions, grid = _quaternions(rotations), RadialGrid()
    geometry = Geometry(
        electron_wavelength_angstrom(beam_energy_kv),
        max_excitation_error,
        spec.diffraction.shape_factor,
        spec.detector,
        grid,
        spread_operator(spec.detector, grid, np.array([sigma_px], np.float32)),
    )
    rows = _rows(phase, spec, reach_per_angstrom(spec.detector, grid, sigma_px))
    profiles = np.empty((len(quaternions), grid.n_bins), np.float32)
    noise_free_profiles(geometry, rows, _chosen(quaternions, spec), np.arange(len(quaternions)), profiles)
    return profiles


def patterns(
    phase: str | Path | Phase,
    rotations: Rotation,
    beam_energy_kv: float = 200,
    max_excitation_error: float = 0.02,
    relrod_width: float = 0.02,
    sigma_px: float = 4.0,
    calibration: float = 0.00588,
    shape: tuple[int, int] = (515, 515),
    **further: Any,
) -> np.ndarray:
    """Return the noise-free detector image of each orientation, not normalised.

    Parameters
    ----------
    shape
        (ny, nx) pixels; the beam is at the centre of the frame, x runs along columns, y along rows.
    others
        As in ``radial_profiles``.

    Returns
    -------
    (n, ny, nx) float32: intensity per pixel, sampled at the pixel centres (PHYSICS §5).

    Raises
    ------
    InputError
        As ``radial_profiles``.
    """
    spec = _spec(beam_energy_kv, max_excitation_error, relrod_width, sigma_px, calibration, max(shape), further)
    quaternions, reach_px = _quaternions(rotations), REACH_SIGMA * sigma_px
    rho_max = (math.hypot(*shape) / 2 + reach_px) * calibration
    images = np.zeros((len(quaternions), *shape), np.float32)
    phase_images(
        quaternions,
        calibration,
        relrod_width,
        math.radians(spec.diffraction.precession_angle_deg.support()[0]),
        sigma_px,
        lattice_arrays(_rows(phase, spec, rho_max)),
        (1 / electron_wavelength_angstrom(beam_energy_kv), max_excitation_error),
        SHAPE_FACTORS[spec.diffraction.shape_factor],
        (rho_max, reach_px),
        images,
    )
    return images


def _spec(
    beam_energy_kv: float,
    max_excitation_error: float,
    relrod_width: float,
    sigma_px: float,
    calibration: float,
    size_px: int,
    further: dict[str, Any],
) -> SimulationSpec:
    """Return a document with these values, so that they are checked as a document's are."""
    known = ("precession_angle_deg", "shape_factor", "scattering_factors")
    document = {
        "microscope": {"beam_energy_kv": beam_energy_kv},
        "detector": {"size_px": size_px, "calibration_per_angstrom": calibration},
        "diffraction": {
            "max_excitation_error_per_angstrom": max_excitation_error,
            "relrod_width_per_angstrom": relrod_width,
            **{name: further.pop(name) for name in known if name in further},
        },
        "lattice_scale": further.pop("lattice_scale", 1.0),
        "spots": {"sigma_px": sigma_px},
    }
    if further:
        raise InputError(
            f"unknown argument {', '.join(further)} (further ones: {', '.join((*known, 'lattice_scale'))})"
        )
    return make_spec(document, SimulationSpec, source="arguments")


def _rows(phase: str | Path | Phase, spec: SimulationSpec, reach: float) -> ReflectionRows:
    read = load_phase(phase)
    crystal = Crystal(read.name, "", "", read)
    return reflection_rows(crystal, reach, spec.diffraction.scattering_factors, "none", spec.lattice_scale.support())


def _quaternions(rotations: Rotation) -> np.ndarray:
    """Return (n, 4) float64."""
    if not isinstance(rotations, Rotation):
        raise InputError(
            f"expected an orix Rotation, found {type(rotations).__name__}; make one with Rotation.from_euler(angles, "
            "degrees=True) or Rotation(quaternions)"
        )
    quaternions = np.asarray(rotations.data, float).reshape(-1, 4)
    if not np.all(np.linalg.norm(quaternions, axis=1) > 0.5):
        raise InputError("a rotation has the quaternion (0, 0, 0, 0) or nearly; every one must be a unit quaternion")
    return quaternions


def _chosen(quaternions: np.ndarray, spec: SimulationSpec) -> Draws:
    """Return draws that hold the chosen values instead of random ones."""

    def same(value: float) -> np.ndarray:
        return np.full(len(quaternions), value)

    return Draws(
        orientation=quaternions,
        lattice_scale=same(spec.lattice_scale.support()[0]),
        calibration_scale=same(1),
        relrod_width_per_angstrom=same(spec.diffraction.relrod_width_per_angstrom.support()[0]),
        precession_angle_deg=same(spec.diffraction.precession_angle_deg.support()[0]),
        sigma_px=same(spec.spots.sigma_px.support()[0]).astype(np.float32),
        removed_spots=np.zeros(len(quaternions), np.uint64),
        direct_beam=same(0),
        dose=same(np.inf),
        snr=same(1),
        intensity_spike=same(0),
        background_amplitude=same(0),
        background_decay_angstrom=same(0),
    )
