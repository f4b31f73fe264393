"""What a document needs before its first pattern, built once: reflections, spread operator, orientation lists."""

from __future__ import annotations

import numpy as np

from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.orientations import orientation_grid
from difsims_core.crystal.phases import Crystal
from difsims_core.crystal.rows import ReflectionRows, reflection_rows
from difsims_core.diffraction.draws import sigma_levels
from difsims_core.diffraction.profile import Geometry
from difsims_core.diffraction.spread import reach_per_angstrom, spread_operator
from difsims_core.errors import InputError
from difsims_core.signal.grid import RadialGrid, pixel_counts
from difsims_core.signal.resample import rebin_matrix
from difsims_core.units import electron_wavelength_angstrom

Tables = tuple[tuple[ReflectionRows, ...], Geometry, list[np.ndarray] | None]


def build_tables(spec: SimulationSpec, crystals: tuple[Crystal, ...]) -> Tables:
    """Return the reflections of each phase, the geometry, and the orientations to choose from (None: uniform).

    Raises
    ------
    InputError
        If a crystal has no allowed reflection or far too many, the detector does not fit the crop, or a Debye–Waller
        factor names an element that no phase holds.
    """
    grid = RadialGrid()
    _check_detector(spec, grid)
    _check_elements(spec, crystals)
    sigmas = sigma_levels(spec.spots.sigma_px)
    geometry = Geometry(
        electron_wavelength_angstrom(spec.microscope.beam_energy_kv),
        spec.diffraction.max_excitation_error_per_angstrom,
        spec.diffraction.shape_factor,
        spec.detector,
        grid,
        spread_operator(spec.detector, grid, sigmas),
    )
    seen = reach_per_angstrom(spec.detector, grid, float(sigmas[-1])) * spec.calibration_scale.support()[1]
    rows = tuple(
        reflection_rows(
            crystal,
            seen,
            spec.diffraction.scattering_factors,
            spec.diffraction.debye_waller,
            spec.lattice_scale_of(label).support(),
        )
        for label, crystal in enumerate(crystals)
    )
    grids = None
    if spec.orientations.kind == "grid":
        grids = [
            orientation_grid(crystal.phase, spec.orientations.method, spec.orientations.resolution_deg)
            for crystal in crystals
        ]
    return rows, geometry, grids


def _check_detector(spec: SimulationSpec, grid: RadialGrid) -> None:
    """Refuse a detector that does not reach the crop, reaches absurdly far, or leaves annuli of the crop empty."""
    detector = spec.detector
    reach = detector.size_px / 2 * detector.calibration_per_angstrom
    needed = (grid.crop.stop - 0.5) * grid.step_per_angstrom
    if reach < needed:
        raise InputError(
            f"the detector ends at {reach:.3f} Å⁻¹ from its centre, but the crop needs {needed:.3f} Å⁻¹; raise size_px "
            "or calibration_per_angstrom"
        )
    if np.any(pixel_counts(detector.size_px, detector.calibration_per_angstrom, grid)[grid.crop] == 0):
        raise InputError(
            f"pixels of {detector.calibration_per_angstrom:g} Å⁻¹ are too coarse for annuli of "
            f"{grid.step_per_angstrom:.5f} Å⁻¹: some hold no pixel; lower calibration_per_angstrom"
        )
    if spec.postprocessing.q_crop is not None:
        rebin_matrix(grid, spec.postprocessing.q_crop)


def _check_elements(spec: SimulationSpec, crystals: tuple[Crystal, ...]) -> None:
    """Refuse Debye–Waller factors of elements that no phase holds."""
    wanted = spec.diffraction.debye_waller
    if isinstance(wanted, dict):
        held = {atom.element for crystal in crystals for atom in crystal.phase.structure}
        absent = sorted(set(wanted) - held)
        if absent:
            raise InputError(f"debye_waller names {', '.join(absent)}, but the phases hold {', '.join(sorted(held))}")
