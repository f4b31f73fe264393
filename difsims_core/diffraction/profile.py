"""Noise-free radial profiles of many patterns of one phase, by the radial route (PHYSICS §§4–5)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from difsims_core.config.simulation import DetectorSpec
from difsims_core.crystal.rows import ReflectionRows
from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.spread import REACH_SIGMA, SpreadOperator
from difsims_core.kernels import ewald
from difsims_core.kernels.ewald import excited_spots
from difsims_core.kernels.spread import remove_brightest, spots_to_profile
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


def reach_per_angstrom(detector: DetectorSpec, grid: RadialGrid, largest_sigma_px: float) -> float:
    """Return the largest nominal in-plane |g| that a profile can see, Å⁻¹: the corner, or the last bin's tail."""
    corner = detector.size_px / math.sqrt(2) * detector.calibration_per_angstrom
    tail = grid.n_bins * grid.step_per_angstrom + 6 * largest_sigma_px * detector.calibration_per_angstrom
    return min(corner, tail)


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

        unit[mine] = _profiles(
            of_these(draws.orientation),
            of_these(draws.lattice_scale),
            of_these(draws.calibration_scale) * geometry.detector.calibration_per_angstrom,
            of_these(draws.relrod_width_per_angstrom),
            np.deg2rad(of_these(draws.precession_angle_deg)),
            float(geometry.spread.sigma_px[index]),
            draws.removed_spots[places],
            of_these(draws.direct_beam),
            (rows.axes, rows.rows, rows.bounds, rows.offsets, rows.intensity, rows.scale[0], rows.scale[1]),
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


@njit(cache=True, nogil=True)
def rotation_matrix(a, b, c, d):
    """Return the matrix that takes crystal vectors to the laboratory: the inverse of the orix rotation (a, b, c, d)."""
    norm = math.sqrt(a * a + b * b + c * c + d * d)
    a, b, c, d = a / norm, b / norm, c / norm, d / norm
    out = np.empty((3, 3))
    out[0, 0], out[0, 1], out[0, 2] = 1 - 2 * (c * c + d * d), 2 * (b * c + a * d), 2 * (b * d - a * c)
    out[1, 0], out[1, 1], out[1, 2] = 2 * (b * c - a * d), 1 - 2 * (b * b + d * d), 2 * (c * d + a * b)
    out[2, 0], out[2, 1], out[2, 2] = 2 * (b * d + a * c), 2 * (c * d - a * b), 1 - 2 * (b * b + c * c)
    return out


@njit(cache=True, nogil=True)
def _profiles(
    orientation, lattice_scale, per_px, width, angle, sigma, removed, beam, lattice, sphere, model, frame, spread,
    where, profiles,
):  # fmt: skip
    axes, rows, bounds, offsets, intensity, centre, half = lattice
    k, s_max = sphere
    reach, nominal_per_px, half_px, rim_px = frame
    spacing, starts, weights, whole = spread
    band = weights.shape[0] // starts.shape[0]
    hits = np.empty((intensity.shape[0] + 1, 3))
    cells = np.empty(starts.shape[0], np.float32)
    turned = np.empty((3, 3))
    unit = np.ones(where.shape[0])
    for i in range(where.shape[0]):
        matrix = rotation_matrix(orientation[i, 0], orientation[i, 1], orientation[i, 2], orientation[i, 3])
        for row in range(3):
            for column in range(3):
                total = 0.0
                for j in range(3):
                    total += matrix[column, j] * axes[row, j]
                turned[row, column] = total / lattice_scale[i]
        n, beside = excited_spots(
            turned, rows, bounds, offsets, intensity, (lattice_scale[i] - centre) / half, k, s_max,
            width[i], angle[i], model, reach * per_px[i] / nominal_per_px, half_px * per_px[i],
            rim_px * per_px[i], hits,
        )  # fmt: skip
        if removed[i] != np.uint64(0):
            n = remove_brightest(hits, n, removed[i])
        brightest = spots_to_profile(
            hits, n, beside, per_px[i], beam[i], spacing, starts, weights, band, whole, cells, profiles[where[i]],
        )  # fmt: skip
        if brightest > 0.0:
            unit[i] = brightest / (2.0 * math.pi * sigma * sigma)
    return unit
