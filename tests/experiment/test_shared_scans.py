"""The scans of the shared folder are read as their README says."""

from __future__ import annotations

import pytest

from difsims_core.experiment.open_scan import open_raw_scan


@pytest.mark.parametrize(
    ("name", "shape"), [("film_1", (16, 16)), ("film_2", (16, 16)), ("film_3", (16, 16)), ("scan_1", (16, 11))]
)
def test_hyperspy_scans(shared_data, name, shape):
    scan = open_raw_scan(shared_data / f"{name}.hspy")
    assert scan.frames.shape == (*shape, 256, 256)
    assert (scan.calibration_per_angstrom, scan.scan_step_nm, scan.beam_energy_kv) == (0.01176, 3.87, 200)
    assert scan.remarks == ()
    assert scan.frames[0, 0].compute().sum() > 3000
