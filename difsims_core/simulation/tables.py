"""What a document needs before its first pattern, built once: the engine, spread operators, orientation lists."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.orientations import orientation_grid
from difsims_core.crystal.phases import Crystal
from difsims_core.diffraction.draws import check_combinations
from difsims_core.diffraction.engines.base import Engine
from difsims_core.diffraction.engines.extended import ExtendedEngine
from difsims_core.diffraction.engines.library import LibraryEngine
from difsims_core.diffraction.geometry import Geometry
from difsims_core.diffraction.imperfections.convergence import LARGEST_SIGMAS, disc_radius
from difsims_core.diffraction.imperfections.extensions import Extensions
from difsims_core.diffraction.library.directions import BeamDirections
from difsims_core.diffraction.library.recipe import LibrarySource, library_in_memory
from difsims_core.diffraction.quantities import levels
from difsims_core.errors import InputError
from difsims_core.families import ENGINES
from difsims_core.signal.cell_pixels import PolarCells, polar_cells
from difsims_core.signal.grid import RadialGrid, pixel_counts
from difsims_core.signal.polar_grid import PolarGrid
from difsims_core.signal.resample import check_q_crop
from difsims_core.simulation.inputs import orientation_lists
from difsims_core.units import electron_wavelength_angstrom

_MOST_OF_SPHERE = 0.95


@dataclass(frozen=True, eq=False)
class Tables:
    """Everything that the patterns of a document share.

    Attributes
    ----------
    engine : Engine
        Prepared for the phases; the imperfections that follow on its spots are part of it.
    extensions : Extensions
        Imperfections of other packages.
    orientations : list of (m, 4) arrays, or None
        Quaternions to choose from, for each phase; ``None`` when they are uniform or the beam's direction is a
        library's.
    orientation_sha256 : tuple of str, or None
        Checksums of the files that they come from.
    cells : PolarCells, or None
        The reduced polar grid on the detector, when it is asked for.
    library : LibraryEngine, or None
        The engine, or the one that imperfections follow on, where its spots come from libraries.
    """

    engine: Engine
    extensions: Extensions
    orientations: list[np.ndarray] | None
    orientation_sha256: tuple[str, ...] | None
    cells: PolarCells | None = None
    library: LibraryEngine | None = None

    @property
    def geometry(self) -> Geometry:
        """Beam, detector and spread operators."""
        return self.engine.geometry

    @property
    def directions(self) -> tuple[BeamDirections, ...] | None:
        """Beam directions of the library of each phase; ``None`` when there is none."""
        return None if self.library is None else self.library.directions

    @property
    def step_px(self) -> float:
        """Width of an annulus, pixels."""
        return self.geometry.grid.step_per_angstrom / self.geometry.detector.calibration_per_angstrom


def build_tables(
    spec: SimulationSpec, crystals: tuple[Crystal, ...], libraries: LibrarySource = library_in_memory
) -> Tables:
    """Return the tables of a document.

    Parameters
    ----------
    spec, crystals
        The document and its phases.
    libraries
        Finds or computes the library of a phase, when the first pattern asks for it.

    Raises
    ------
    InputError
        If no engine or imperfection has a name, a crystal has no allowed reflection or far too many, the detector does
        not fit the crop or the polar grid, a Debye–Waller factor names an element that no phase holds, or a list of
        orientations cannot be read.
    """
    extensions = Extensions.of(spec)
    _check_detector(spec)
    _check_elements(spec, crystals)
    check_combinations(spec)
    geometry = Geometry.of(
        spec.microscope.beam_energy_kv,
        spec.detector,
        levels(spec.spots.sigma_px),
        _largest_disc_px(spec),
    )
    seen = _seen_per_angstrom(spec, geometry)
    _check_precession(spec, seen, geometry.k)
    cells = None
    if spec.output.polar is not None:
        grid = PolarGrid.over_crop(spec.output.polar.annuli_per_radius, spec.output.polar.n_azimuths)
        cells = polar_cells(spec.detector.size_px, spec.detector.calibration_per_angstrom, grid)
    engine, library = ENGINES[spec.engine].prepare(spec, crystals, geometry, seen), None
    if spec.orientations.kind == "library":
        engine = library = LibraryEngine.around(engine, spec, crystals, libraries)
    if extensions.at("spots"):
        engine = ExtendedEngine(engine, extensions)
    return Tables(engine, extensions, *_orientations(spec, crystals), cells, library)


def _largest_disc_px(spec: SimulationSpec) -> float:
    """Return the largest radius of a convergence disc, pixels; refuse one that Gaussians of width σ cannot fill."""
    angle = spec.spots.convergence_semi_angle_mrad
    if angle is None:
        return 0.0
    wavelength = electron_wavelength_angstrom(spec.microscope.beam_energy_kv)
    radius = float(disc_radius(np.array(angle.support()[1]), wavelength))
    radius /= spec.detector.calibration_per_angstrom * spec.calibration_scale.support()[0]
    if spec.distortion is not None:
        radius *= (1 + spec.distortion.ellipticity.support()[1]) ** 0.5
    smallest = spec.spots.sigma_px.support()[0]
    if radius > LARGEST_SIGMAS * smallest:
        raise InputError(
            f"convergence discs reach a radius of {radius:.0f} px, which spots of σ = {smallest:g} px cannot fill "
            "evenly",
            f"raise spots.sigma_px to {radius / LARGEST_SIGMAS:.2g} px, or lower the semi-angle",
        )
    return radius


def _check_precession(spec: SimulationSpec, seen: float, k: float) -> None:
    angle = spec.diffraction.precession_angle_deg.support()[1]
    if seen + k * math.sin(math.radians(angle)) > _MOST_OF_SPHERE * k:
        raise InputError(
            f"the detector sees {seen:.2f} Å⁻¹ and the precessing beam reaches "
            f"{k * math.sin(math.radians(angle)):.2f} Å⁻¹, together nearly the radius of the Ewald sphere, {k:.1f} Å⁻¹",
            "lower precession_angle_deg or size_px",
        )


def _seen_per_angstrom(spec: SimulationSpec, geometry: Geometry) -> float:
    """Return the largest in-plane |g| that a pattern of the document can show, Å⁻¹."""
    reach, stretch = geometry.reach_px, 1.0
    if spec.distortion is not None:
        reach += spec.distortion.centre_error_px.support()[1]
        stretch = (1 + spec.distortion.ellipticity.support()[1]) ** 0.5
    return reach * stretch * spec.detector.calibration_per_angstrom * spec.calibration_scale.support()[1]


def _orientations(
    spec: SimulationSpec, crystals: tuple[Crystal, ...]
) -> tuple[list[np.ndarray] | None, tuple[str, ...] | None]:
    wanted = spec.orientations
    if wanted.kind in ("uniform", "library"):
        return None, None
    if wanted.kind == "grid":
        return [orientation_grid(crystal.structure, wanted.method, wanted.resolution_deg) for crystal in crystals], None
    return orientation_lists(spec, crystals)


def _check_detector(spec: SimulationSpec) -> None:
    """Refuse a detector that does not reach the crop, or leaves annuli of the crop empty."""
    detector, grid = spec.detector, RadialGrid()
    reach = detector.size_px / 2 * detector.calibration_per_angstrom
    needed = (grid.crop.stop - 0.5) * grid.step_per_angstrom
    if reach < needed:
        raise InputError(
            f"the detector ends at {reach:.3f} Å⁻¹ from its centre, but the crop needs {needed:.3f} Å⁻¹",
            "raise size_px or calibration_per_angstrom",
        )
    if np.any(pixel_counts(detector.size_px, detector.calibration_per_angstrom, grid)[grid.crop] == 0):
        raise InputError(
            f"pixels of {detector.calibration_per_angstrom:g} Å⁻¹ are too coarse for annuli of "
            f"{grid.step_per_angstrom:.5f} Å⁻¹: some hold no pixel",
            "lower calibration_per_angstrom",
        )
    if spec.postprocessing.q_crop is not None:
        check_q_crop(grid, spec.postprocessing.q_crop)


def _check_elements(spec: SimulationSpec, crystals: tuple[Crystal, ...]) -> None:
    """Refuse Debye–Waller factors of elements that no phase holds."""
    wanted = spec.diffraction.debye_waller
    if isinstance(wanted, dict):
        held = {element for crystal in crystals for element in crystal.structure.atoms.elements}
        absent = sorted(set(wanted) - held)
        if absent:
            raise InputError(f"debye_waller names {', '.join(absent)}, but the phases hold {', '.join(sorted(held))}")
