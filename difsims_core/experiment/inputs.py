"""A raw scan and the files that its document names, opened: all that its results depend on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.crystal.phases import Crystal, as_crystal
from difsims_core.errors import ExperimentError
from difsims_core.experiment.correct.detector_files import find_mask, read_correction, read_mask, remarks_on_files
from difsims_core.experiment.correct.geometry import Geometry
from difsims_core.experiment.correct.standard import calibrate
from difsims_core.experiment.frames import DetectorCorrection
from difsims_core.experiment.open_scan import open_raw_scan
from difsims_core.experiment.raw_scan import RawScan


@dataclass(frozen=True, slots=True)
class ScanInputs:
    """A raw scan with what is needed to preprocess it; build it with `read`.

    Attributes
    ----------
    scan : RawScan
    spec : PreprocessingSpec
    geometry : Geometry
        Calibration, of the file or given, with the ellipse 0; or both by a standard.
    correct : DetectorCorrection
        From readings to counts.
    mask : (rows, columns) bool numpy.ndarray or None
        True for pixels that count; None: there is no mask.
    crystals : tuple of Crystal
        Candidate phases.
    """

    scan: RawScan
    spec: PreprocessingSpec
    geometry: Geometry
    correct: DetectorCorrection
    mask: np.ndarray | None
    crystals: tuple[Crystal, ...]

    @classmethod
    def read(cls, location: str | Path, spec: PreprocessingSpec) -> ScanInputs:
        """Open a raw scan, and read the files that its document names.

        Raises
        ------
        ExperimentError
            If the scan or a file cannot be read, or its calibration is neither in the file nor given.
        """
        scan = open_raw_scan(location, spec.reading)
        geometry = _geometry(scan, spec)
        correct, place = read_correction(spec.pixels, scan), find_mask(spec.pixels, location)
        mask = read_mask(place, scan)
        scan = replace(scan, remarks=(*scan.remarks, *remarks_on_files(spec.pixels, place, scan)))
        return cls(scan, spec, geometry, correct, mask, tuple(as_crystal(name) for name in spec.phases))


def _geometry(scan: RawScan, spec: PreprocessingSpec) -> Geometry:
    """Return what is known of a detector before its scan is looked at."""
    standard, calibration = spec.geometry.standard, scan.calibration_per_angstrom
    if standard is not None:
        return calibrate(standard.location, standard.phase, standard.reading, standard.centre_px).geometry
    if calibration is None:
        raise ExperimentError(
            f"{scan.source}: says nothing of the width of its pixels in reciprocal space",
            "give it as reading.calibration_per_angstrom (Å⁻¹ per pixel), a camera length and its table, or a standard "
            "(geometry.standard)",
        )
    return Geometry(calibration)
