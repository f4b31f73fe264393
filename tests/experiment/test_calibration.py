"""Scales in our units: as given, by the file, by a table; and what is said of each."""

from __future__ import annotations

import pytest

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import ExperimentError
from difsims_core.experiment.stored.calibration import scales
from difsims_core.experiment.stored.recording import Measure, Recording
from tests.experiment.test_frames import Large

FRAMES = Large(4, (8, 8), "u2")
WAVELENGTH_200KV = 0.0250793  # Å, as tabulated


def found(reading: ReadingSpec | None = None, **said):
    return scales(Recording(FRAMES, "test", **said), reading or ReadingSpec())


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.01, "1/A", 0.01), (0.01, "Å^-1", 0.01), (0.01, "1 / Å", 0.01), (0.01, "A^-1", 0.01),
        (0.1, "1/nm", 0.01), (0.1, "nm^-1", 0.01), (0.1, "[n_m^-1]", 0.01), (0.1, "nm⁻¹", 0.01), (1e8, "1/m", 0.01),
    ],
)  # fmt: skip
def test_reciprocal_lengths(value, unit, expected):
    result = found(detector_pixel=Measure(value, unit))
    assert result.calibration_per_angstrom == pytest.approx(expected)
    assert ("in the file, that is 0.01 Å⁻¹" in " ".join(result.remarks)) == (value != 0.01)


@pytest.mark.parametrize(("value", "unit"), [(0.5, "mrad"), (0.5, "mrads"), (5e-4, "rad"), (0.0286479, "deg")])
def test_angles_take_the_wavelength(value, unit):
    result = found(detector_pixel=Measure(value, unit), beam_energy_kv=200)
    assert result.calibration_per_angstrom == pytest.approx(5e-4 / WAVELENGTH_200KV, rel=1e-5)
    assert "with the wavelength at 200 kV" in result.remarks[0]


def test_widths_on_the_detector_take_the_camera_length():
    result = found(detector_pixel=Measure(55, "µm"), beam_energy_kv=200, camera_length_mm=110)
    assert result.calibration_per_angstrom == pytest.approx(5e-4 / WAVELENGTH_200KV, rel=1e-5)
    assert "at a camera length of 110 mm" in result.remarks[0]


@pytest.mark.parametrize(
    ("pixel", "said"),
    [
        (Measure(0.5, "mrad"), "beam_energy_kv is missing"),
        (Measure(55, "um"), "beam_energy_kv is missing"),
        (Measure(3, "eV"), "no unit of a diffraction pattern"),
        (Measure(4e16, "1/nm"), "cannot be"),
        (Measure(1, "px"), "is unknown: give calibration_per_angstrom"),
        (None, "is unknown: give calibration_per_angstrom"),
    ],
)
def test_what_does_not_lead_there_is_told(pixel, said):
    result = found(detector_pixel=pixel)
    assert result.calibration_per_angstrom is None
    assert said in " ".join(result.remarks)


@pytest.mark.parametrize(("value", "unit", "expected"), [(2, "nm", 2), (20, "Å", 2), (0.002, "µm", 2), (2e-9, "m", 2)])
def test_scan_step(value, unit, expected):
    assert found(scan_step=Measure(value, unit)).scan_step_nm == pytest.approx(expected)


@pytest.mark.parametrize("step", [Measure(1, ""), Measure(1, "s"), None])
def test_unknown_scan_step(step):
    assert found(scan_step=step).scan_step_nm is None


def test_steps_that_differ_along_the_axes_are_both_told():
    result = found(scan_step=Measure(2, "nm"), row_step=Measure(3, "nm"))
    remarks = " ".join(result.remarks)
    assert result.scan_step_nm is None
    assert "2 nm apart in a row, and rows 3 nm" in remarks
    assert "scan step is unknown" not in remarks
    assert found(scan_step=Measure(2, "nm"), row_step=Measure(0.002, "µm")).scan_step_nm == 2
    given = found(ReadingSpec(scan_step_nm=4), scan_step=Measure(2, "nm"), row_step=Measure(3, "nm"))
    assert given.scan_step_nm == 4
    assert "rows" not in " ".join(given.remarks)


def test_voltage_in_volts_is_converted_and_nonsense_left_out():
    assert found(beam_energy_kv=200_000).beam_energy_kv == 200
    assert found(beam_energy_kv=0).beam_energy_kv is None
    assert found(beam_energy_kv=1e8).beam_energy_kv is None


def test_given_goes_before_the_file():
    result = found(
        ReadingSpec(calibration_per_angstrom=0.02, scan_step_nm=3, beam_energy_kv=80),
        detector_pixel=Measure(0.1, "1/nm"), scan_step=Measure(1, "nm"), beam_energy_kv=200,
    )  # fmt: skip
    assert (result.calibration_per_angstrom, result.scan_step_nm, result.beam_energy_kv) == (0.02, 3, 80)


TABLES = {
    "camera_lengths": [
        {"camera_length_mm": 100, "calibration_per_angstrom": 0.02},
        {"camera_length_mm": 200, "calibration_per_angstrom": 0.01},
    ],
    "magnifications": [{"magnification": 50_000, "scan_step_nm": 4}],
}


def test_tables_serve_files_that_do_not_say():
    result = found(ReadingSpec(**TABLES), camera_length_mm=200.5, magnification=50_000)
    assert (result.calibration_per_angstrom, result.scan_step_nm) == (0.01, 4)
    assert "By the table, the camera length 200 mm means 0.01" in " ".join(result.remarks)
    given = found(ReadingSpec(**TABLES, camera_length_mm=100, magnification=50_000))
    assert (given.calibration_per_angstrom, given.scan_step_nm) == (0.02, 4)


def test_table_without_the_row_is_an_error_and_without_a_length_is_told():
    with pytest.raises(ExperimentError, match="camera length is 150 mm, but the table has 100, 200"):
        found(ReadingSpec(**TABLES), camera_length_mm=150)
    assert "does not say its camera length" in " ".join(found(ReadingSpec(**TABLES)).remarks)
