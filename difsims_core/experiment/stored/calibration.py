"""Calibration, scan step and beam energy in our units, from what a file says and what the caller knows."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import ExperimentError
from difsims_core.experiment.stored.recording import Measure, Recording
from difsims_core.units import electron_wavelength_angstrom

_RECIPROCAL = {"1/å": 1.0, "1/nm": 0.1, "1/pm": 100.0, "1/um": 1e-4, "1/m": 1e-10}  # Å⁻¹
_ANGLE = {"rad": 1.0, "mrad": 1e-3, "urad": 1e-6, "deg": math.pi / 180, "°": math.pi / 180}  # rad
_LENGTH = {"m": 1e10, "cm": 1e8, "mm": 1e7, "um": 1e4, "nm": 10.0, "å": 1.0, "pm": 0.01}  # Å
_NOTHING = {"", "1", "px", "pix", "pixel", "none", "undefined", "<undefined>", "a.u."}
_SPELLINGS = (
    (r"[\s_\[\]*]", ""), ("[µμ]", "u"), ("\u212b", "å"), ("⁻¹", "^-1"), (r"angstroms?|ångströms?", "å"),
    ("microns?", "um"), (r"(?<![a-z])a(?![a-z.])", "å"), (r"^(.+)\^\(?-1\)?$", r"1/\1"), ("pixels$", "pixel"),
    ("rads$", "rad"), ("^degrees?$", "deg"),
)  # fmt: skip
_LARGEST_PER_ANGSTROM, _LARGEST_STEP_NM = 10.0, 1e6
_KV = (1.0, 3000.0)
_SAME = 0.01  # of a camera length, a magnification or a scan step


@dataclass(frozen=True, slots=True)
class Scales:
    """What pixels and positions are worth: Å⁻¹, nm, kV; None where nobody says. See ``RawScan``."""

    calibration_per_angstrom: float | None
    scan_step_nm: float | None
    beam_energy_kv: float | None
    remarks: tuple[str, ...]


def scales(recording: Recording, reading: ReadingSpec) -> Scales:
    """Return the scales of a scan: as given, else by the file, else by a table of the microscope.

    Raises
    ------
    ExperimentError
        If a table is given that has no row for the camera length or the magnification.
    """
    remarks: list[str] = []
    energy = _beam_energy(recording, reading, remarks)
    calibration = reading.calibration_per_angstrom
    if calibration is None and recording.detector_pixel is not None:
        calibration = _per_angstrom(recording.detector_pixel, energy, _camera_length(recording, reading), remarks)
    if calibration is None and reading.camera_lengths:
        calibration = _looked_up(
            "camera length", "mm", _camera_length(recording, reading),
            [(row.camera_length_mm, row.calibration_per_angstrom) for row in reading.camera_lengths], remarks,
        )  # fmt: skip
    if calibration is None:
        remarks.append("The width of a detector pixel is unknown: give calibration_per_angstrom.")
    step = reading.scan_step_nm
    if step is None and recording.scan_step is not None:
        step = _step(recording.scan_step, recording.row_step, remarks)
    if step is None and reading.magnifications:
        step = _looked_up(
            "magnification", "×", reading.magnification or recording.magnification,
            [(row.magnification, row.scan_step_nm) for row in reading.magnifications], remarks,
        )  # fmt: skip
    if step is None and recording.row_step is None:
        remarks.append("The scan step is unknown, maps have no scale bar: give scan_step_nm.")
    return Scales(calibration, step, energy, tuple(remarks))


def kind_of(unit: str) -> str:
    """Return what a unit measures: ``length``, ``scattering`` (a reciprocal length or an angle), or nothing known."""
    spelt = _spelt(unit)
    if spelt in _LENGTH:
        return "length"
    return "scattering" if spelt in _RECIPROCAL or spelt in _ANGLE else ""


def _camera_length(recording: Recording, reading: ReadingSpec) -> float | None:
    return reading.camera_length_mm or recording.camera_length_mm or None


def _beam_energy(recording: Recording, reading: ReadingSpec, remarks: list[str]) -> float | None:
    if reading.beam_energy_kv is not None:
        return reading.beam_energy_kv
    found = recording.beam_energy_kv
    if found is None or not math.isfinite(found) or found <= 0:
        return None
    if found > _KV[1]:
        remarks.append(f"The file has the voltage {found:g}, taken as V: {found / 1000:g} kV.")
        found /= 1000
    if not _KV[0] <= found <= _KV[1]:
        remarks.append(f"The file has the voltage {found:g} kV, which no microscope has; it is left out.")
        return None
    return found


def _per_angstrom(
    pixel: Measure, energy: float | None, camera_length_mm: float | None, remarks: list[str]
) -> float | None:
    """Return the width of a detector pixel, Å⁻¹; None where its unit does not lead there."""
    unit, said = _spelt(pixel.unit), _said(pixel)
    if unit in _RECIPROCAL:
        found = pixel.value * _RECIPROCAL[unit]
        if unit != "1/å":
            remarks.append(f"A detector pixel is {said} in the file, that is {found:.6g} Å⁻¹.")
    elif unit in _ANGLE and energy:
        found = pixel.value * _ANGLE[unit] / electron_wavelength_angstrom(energy)
        remarks.append(f"A detector pixel is {said} in the file, with the wavelength at {energy:g} kV {found:.6g} Å⁻¹.")
    elif unit in _LENGTH and energy and camera_length_mm:
        angle = pixel.value * _LENGTH[unit] / (camera_length_mm * _LENGTH["mm"])
        found = angle / electron_wavelength_angstrom(energy)
        remarks.append(
            f"A detector pixel is {said} wide in the file; at a camera length of {camera_length_mm:g} mm and "
            f"{energy:g} kV that is {found:.6g} Å⁻¹."
        )
    else:
        missing = "beam_energy_kv" if not energy else "camera_length_mm"
        why = (
            f"{missing} is missing" if unit in _ANGLE or unit in _LENGTH else "that is no unit of a diffraction pattern"
        )
        if unit not in _NOTHING:
            remarks.append(f"A detector pixel is {said} in the file, but {why}.")
        return None
    if 0 < found <= _LARGEST_PER_ANGSTROM:
        return found
    remarks.append(f"A detector pixel of {said} cannot be; it is left out.")
    return None


def _step(step: Measure, of_rows: Measure | None, remarks: list[str]) -> float | None:
    """Return the distance of scan positions, nm; None where it is no length, or another one from row to row."""
    found = _nm(step, remarks)
    if of_rows is None:
        return found
    rows = _nm(of_rows, remarks)
    if found is not None and rows is not None and abs(rows - found) <= _SAME * found:
        return found
    remarks.append(
        f"In the file, scan positions are {_said(step)} apart in a row, and rows {_said(of_rows)}; maps have one scan "
        "step, and no scale bar without: give scan_step_nm."
    )
    return None


def _nm(step: Measure, remarks: list[str]) -> float | None:
    """Return the distance of scan positions, nm; None where its unit does not lead there."""
    unit, said = _spelt(step.unit), _said(step)
    if unit in _NOTHING:
        return None
    found = abs(step.value) * _LENGTH.get(unit, 0) / _LENGTH["nm"]
    if not 0 < found <= _LARGEST_STEP_NM:
        remarks.append(f"The scan step is {said} in the file, expected a length; it is left out.")
        return None
    if unit != "nm":
        remarks.append(f"The scan step is {said} in the file, that is {found:.6g} nm.")
    return found


def _looked_up(
    what: str, unit: str, wanted: float | None, rows: Sequence[tuple[float, float]], remarks: list[str]
) -> float | None:
    """Return what a table says."""
    if wanted is None:
        remarks.append(f"The file does not say its {what}, so the table cannot be looked up.")
        return None
    near, value = min(rows, key=lambda row: abs(row[0] - wanted))
    if abs(near - wanted) > _SAME * wanted:
        known = ", ".join(f"{row[0]:g}" for row in sorted(rows))
        raise ExperimentError(f"the {what} is {wanted:g} {unit}, but the table has {known}", "add a row for it")
    remarks.append(f"By the table, the {what} {near:g} {unit} means {value:g}.")
    return value


def _said(measure: Measure) -> str:
    return f"{measure.value:g} {measure.unit}".strip()


def _spelt(unit: str) -> str:
    """Return a unit as the tables above have it."""
    found = unit.casefold()
    for pattern, plain in _SPELLINGS:
        found = re.sub(pattern, plain, found)
    return found
