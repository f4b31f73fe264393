"""Noise-free radial profiles of many patterns of one phase, by the radial route (PHYSICS §§4–5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from difsims_core.config.simulation import DetectorSpec
from difsims_core.crystal.rows import ReflectionRows
from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.spread import REACH_SIGMA, SpreadOperator, reach_per_angstrom
from difsims_core.kernels import ewald
from difsims_core.kernels.patterns import phase_profiles
from difsims_core.signal.grid import RadialGrid

SHAPE_FACTORS = {
    "lorentzian": ewald.LORENTZIAN,
    "linear": ewald.LINEAR,
    "sinc": ewald.SINC,
    "sin2c": ewald.SIN2C,
    "atanc": ewald.ATANC,
    "binary": ewald.BINARY,
}


@dataclass(frozen=True, slots=True)
class Geometry:
    """What all patterns of a dataset share.

    Attributes
    ----------
    wavelength_angstrom, max_excitation_error_per_angstrom
        Å and Å⁻¹.
    shape_factor
        A key of ``SHAPE_FACTORS``.
    detector, grid, spread
        The detector, its annuli and the spread operator on them.
    """

    wavelength_angstrom: float
    max_excitation_error_per_angstrom: float
    shape_factor: str
    detector: DetectorSpec
    grid: RadialGrid
    spread: SpreadOperator


def noise_free_profiles(
    geometry: Geometry, rows: ReflectionRows, draws: Draws, which: np.ndarray, profiles: np.ndarray
) -> np.ndarray:
    """Compute the profiles of some patterns of one phase.

    Parameters
    ----------
    geometry, rows
        What the patterns share.
    draws
        Draws of a block.
    which
        (m,) positions in the block of this phase's patterns.
    profiles
        (n, n_bins) float32; rows ``which`` are overwritten with the mean intensity per pixel of each annulus.

    Returns
    -------
    (m,) float64: unit of intensity P = max I / 2πσ² of each pattern; 1 for a pattern without spots (PHYSICS §6).
    """
    level = np.searchsorted(geometry.spread.sigma_px, draws.sigma_px[which])
    unit = np.ones(len(which))
    for index in np.unique(level):
        mine = np.flatnonzero(level == index)
        weights = geometry.spread.weights[index]
        places = which[mine]

        def of_these(values: np.ndarray, places: np.ndarray = places) -> np.ndarray:
            return values[places].astype(np.float64)

        unit[mine] = phase_profiles(
            of_these(draws.orientation),
            of_these(draws.lattice_scale),
            of_these(draws.calibration_scale) * geometry.detector.calibration_per_angstrom,
            of_these(draws.relrod_width_per_angstrom),
            np.deg2rad(of_these(draws.precession_angle_deg)),
            float(geometry.spread.sigma_px[index]),
            draws.removed_spots[places],
            of_these(draws.direct_beam),
            lattice_arrays(rows),
            (1 / geometry.wavelength_angstrom, geometry.max_excitation_error_per_angstrom),
            SHAPE_FACTORS[geometry.shape_factor],
            (
                reach_per_angstrom(geometry.detector, geometry.grid, float(geometry.spread.sigma_px[-1])),
                geometry.detector.calibration_per_angstrom,
                geometry.detector.size_px / 2,
                REACH_SIGMA * float(geometry.spread.sigma_px[index]),
            ),
            (geometry.spread.spacing_px, geometry.spread.starts[index], weights, geometry.spread.whole_annuli),
            places,
            profiles,
        )
    return unit


def lattice_arrays(rows: ReflectionRows) -> tuple[Any, ...]:
    """Return the reflections of a phase as the kernels take them."""
    return rows.axes, rows.rows, rows.bounds, rows.offsets, rows.intensity, rows.scale[0], rows.scale[1]
