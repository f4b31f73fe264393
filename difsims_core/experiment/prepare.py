"""A raw scan, opened and surveyed: all that its integration needs to know (docs/physics.md §17)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from difsims_core.config.raw_scans.preprocessing import IntegrationSpec, PreprocessingSpec
from difsims_core.crystal.reflections import reflection_list
from difsims_core.errors import ExperimentError
from difsims_core.experiment.correct.survey import Survey, survey
from difsims_core.experiment.frames import DetectorCorrection, sample_patterns, spread
from difsims_core.experiment.inputs import ScanInputs
from difsims_core.experiment.integrate.integrator import Integrator
from difsims_core.experiment.raw_scan import RawScan
from difsims_core.signal.grid import REFERENCE_GRID
from difsims_core.signal.polar_grid import CellRange, PolarGrid

_Q_BEYOND = 1.05  # lines so far beyond the edge of the frame still reach into it
_CROP_SIDES = (1 / 16, 2.0)  # radius of the crop in sides of the frame: beyond, its calibration has another unit
_MOST_PLACES = 64  # along each axis of the scan, for the mean of the drift


@dataclass(frozen=True, slots=True)
class Grids:
    """The grids on which the patterns of a scan are written.

    Attributes
    ----------
    profile : (2,) tuple of int
        First annulus of the profiles, and the one after the last.
    polar : PolarGrid or None
        Of the polar patterns; None: none are wanted.
    """

    profile: tuple[int, int]
    polar: PolarGrid | None

    @classmethod
    def of(cls, wanted: IntegrationSpec) -> Grids:
        """Return the grids that a document asks for; polar patterns cover the crop."""
        profile = REFERENCE_GRID.crop_bins if wanted.range == "crop" else (0, REFERENCE_GRID.n_bins)
        if not wanted.polar:
            return cls(profile, None)
        return cls(profile, PolarGrid.over_crop(wanted.annuli_per_radius, wanted.n_azimuths))

    @property
    def q(self) -> np.ndarray:
        """(n_q,) float64: axis of the profiles, Å⁻¹."""
        return REFERENCE_GRID.q[slice(*self.profile)]

    def cells(self, n_azimuths: int) -> CellRange:
        """Return the annuli and sectors that hold both."""
        first, stop = self.profile
        if self.polar:
            first, stop = min(first, self.polar.first_annulus), max(stop, self.polar.stop_annulus)
        return CellRange(REFERENCE_GRID.step_per_angstrom, first, stop, n_azimuths)


@dataclass(frozen=True, slots=True)
class PreparedScan:
    """A raw scan that is ready to be integrated.

    Attributes
    ----------
    scan : RawScan
    spec : PreprocessingSpec
    survey : Survey
    correct : DetectorCorrection
        From readings to counts.
    grids : Grids
    integrator : Integrator
    """

    scan: RawScan
    spec: PreprocessingSpec
    survey: Survey
    correct: DetectorCorrection
    grids: Grids
    integrator: Integrator

    @classmethod
    def of(cls, scan: RawScan, spec: PreprocessingSpec, correct: DetectorCorrection, found: Survey) -> PreparedScan:
        """Return a scan of which a survey found this."""
        grids = Grids.of(spec.integration)
        cells = grids.cells(spec.integration.n_azimuths)
        return cls(scan, spec, found, correct, grids, Integrator(found.pixels.good, found.geometry, cells, grids.polar))

    @property
    def effective_pixels(self) -> np.ndarray:
        """(n_radii, n_azimuths) float64: effective number of pixels of each polar cell at the mean of the drift."""
        iy, ix = (spread(length, _MOST_PLACES) for length in self.scan.scan_shape)
        positions = np.stack(np.meshgrid(iy, ix, indexing="ij"), axis=-1).reshape(-1, 2)
        return self.integrator.effective_pixels(self.survey.drift.at(positions).mean(axis=0))


def prepare_scan(location: str | Path, spec: PreprocessingSpec) -> PreparedScan:
    """Open a raw scan and survey it.

    Raises
    ------
    ExperimentError
        If the scan cannot be read, or something that is needed is neither in the file nor given nor to be found.
    """
    return survey_scan(ScanInputs.read(location, spec))


def survey_scan(inputs: ScanInputs) -> PreparedScan:
    """Survey a raw scan that was opened; errors as `prepare_scan`."""
    scan, spec = inputs.scan, inputs.spec
    _require_scale(scan, inputs.geometry.calibration_per_angstrom)
    q_seen = min(
        max(scan.frame_shape) * inputs.geometry.calibration_per_angstrom * _Q_BEYOND, float(REFERENCE_GRID.q[-1])
    )
    phases = [reflection_list(crystal.phase, q_seen) for crystal in inputs.crystals]
    sample = sample_patterns(scan, inputs.correct)
    found = survey(sample, scan.scan_shape, spec, inputs.geometry, phases, inputs.mask)
    return PreparedScan.of(scan, spec, inputs.correct, found)


def _require_scale(scan: RawScan, calibration_per_angstrom: float) -> None:
    """Raise unless the crop is about as large as the frame, before anything of its size is made."""
    q_end = float(REFERENCE_GRID.q[REFERENCE_GRID.crop][-1])
    radius_px, side = q_end / calibration_per_angstrom, max(scan.frame_shape)
    least, most = (share * side for share in _CROP_SIDES)
    if not least <= radius_px <= most:
        rows, columns = scan.frame_shape
        raise ExperimentError(
            f"{scan.source}: at {calibration_per_angstrom:g} Å⁻¹ per pixel, what classifiers read (to {q_end:.2f} Å⁻¹) "
            f"ends {radius_px:,.3g} px from the beam; expected {least:,.3g} to {most:,.3g} px on frames of {rows} × "
            f"{columns} px",
            "check the unit of the calibration: Å⁻¹ per pixel (q = 1/d); a number in nm⁻¹ is divided by 10, one in "
            "milliradians by 1000 wavelengths",
        )
