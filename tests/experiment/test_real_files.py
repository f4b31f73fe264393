"""Files that instruments and programs have written: read, and equal to what RosettaSciIO reads of them."""

from __future__ import annotations

import logging
import warnings
import zipfile
from importlib import import_module

import numpy as np
import pytest

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.errors import ExperimentError
from difsims_core.experiment.open_scan import open_raw_scan

EMD_CUBE = "4DSTEM_simulation/data/datacubes/CBED_array_depth0000/datacube"

READ = [  # file, module of RosettaSciIO, reading, shape, (Å⁻¹, nm, kV)
    ("001_4x2_6bit.mib", "quantumdetector", {}, (2, 4, 256, 256), (None, None, None)),
    ("test_multi.mib", "quantumdetector", {}, (3, 3, 256, 256), (None, None, None)),
    ("test1.blo", None, {}, (3, 2, 144, 144), (0.0320217, 12.8, 200)),
    ("test_00_master.h5", "arina", {}, (4, 4, 192, 192), (None, 0.139152, 300)),
    ("test_tvips_2345_000.tvips", "tvips", {"scan_shape": (2, 3)}, (2, 3, 4, 5), (None, None, 200)),
    ("test_tvips_2345_split_000.tvips", "tvips", {"scan_shape": (2, 3)}, (2, 3, 4, 5), (None, None, 200)),
    ("py4DSTEM_size2x3x4x5.h5", "emd", {}, (2, 3, 4, 5), (0.0442516, 0.126797, None)),
    ("Si100_4D.emd", None, {"dataset_path": EMD_CUBE}, (11, 11, 8, 8), (0.0184162, 0.5, None)),
    ("topspin_test_A.app5", "topspin", {}, (2, 5, 14, 12), (0.000850404, 2, 200)),
    ("panta_rhei_sample.prz", "pantarhei", {}, (1, 1, 16, 16), (None, None, 200)),
    ("test_diffraction_pattern.dm3", "digitalmicrograph", {}, (1, 1, 87, 87), (0.0174433, None, None)),
    ("128x128x5-diffraction_preview_1.ser", "tia", {"scan_shape": (1, 5)}, (1, 5, 128, 128), (0.00424641, None, None)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "module", "given", "shape", "scales"), READ, ids=lambda value: value if isinstance(value, str) else ""
)
def test_real_file(real, name, module, given, shape, scales):
    scan = open_raw_scan(real(name), ReadingSpec(**given))
    assert scan.frames.shape == shape
    found = scan.calibration_per_angstrom, scan.scan_step_nm, scan.beam_energy_kv
    assert found == tuple(value if value is None else pytest.approx(value, rel=1e-5) for value in scales)
    if module is not None:
        np.testing.assert_array_equal(scan.frames.compute(), by_rosettasciio(real(name), module).reshape(shape))


def by_rosettasciio(path, module):
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        signals = import_module(f"rsciio.{module}").file_reader(str(path))
    logging.disable(logging.NOTSET)
    return max((signal["data"] for signal in signals), key=lambda data: data.ndim)


def test_block_file_holds_its_first_pattern_first(real):
    """RosettaSciIO reads it with scikit-image only; its bytes are looked up by hand: 16 + 4096 + 6 before the first."""
    data = real("test1.blo").read_bytes()
    frames = open_raw_scan(real("test1.blo")).frames
    np.testing.assert_array_equal(frames[0, 0].compute().ravel(), np.frombuffer(data, np.uint8, 144 * 144, 4112 + 6))
    np.testing.assert_array_equal(frames[2, 1].compute().ravel(), np.frombuffer(data[-144 * 144 :], np.uint8))


def test_random_scan_is_put_in_order(real):
    """Each frame comes to the row and column that the table beside it names."""
    path = real("ROI_Random_Scan_movie.mrc")
    frames = open_raw_scan(path).frames.compute()
    assert frames.shape == (29, 12, 16, 16)
    stored = np.frombuffer(path.read_bytes(), "<u2", offset=1024).reshape(348, 16, 16)
    columns, rows = np.loadtxt(path.with_name("ROI_Random_Scan_scan_coordinates.csv"), delimiter=",", dtype=int).T
    np.testing.assert_array_equal(frames[rows, columns], stored)


def test_region_of_interest_of_a_merlin_file(real, tmp_path):
    with zipfile.ZipFile(real("Merlin_navigation4x2_ROI.zip")) as packed:
        packed.extractall(tmp_path)
    scan = open_raw_scan(tmp_path / "002_4x2_6bit_roi128.mib")
    assert scan.frames.shape == (2, 4, 128, 256)
    np.testing.assert_array_equal(
        scan.frames.compute(), by_rosettasciio(tmp_path / "002_4x2_6bit_roi128.mib", "quantumdetector")
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Si100_4D.emd", "holds 2 arrays that may be the scan"),
        ("nexus_dls_example.nxs", "10 frames and does not say how they make a scan"),
        ("test_tvips_2345_000.tvips", "candidates: .*2 × 3, 3 × 2"),
        ("test_tvips_2345_split_001.tvips", "expected the first file of a stream"),
        ("Merlin_Single_Quad.zip", "no raw scan of a known format"),
    ],
)
def test_real_file_that_leaves_a_choice_is_refused_with_it(real, name, said):
    with pytest.raises(ExperimentError, match=f"{name}: .*{said}"):
        open_raw_scan(real(name))
