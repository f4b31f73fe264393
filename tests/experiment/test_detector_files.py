"""Masks and references of a detector: found by name, and turned as the patterns of the raw file are."""

from __future__ import annotations

import numpy as np
import pytest

from difsims_core.config.raw_scans.preprocessing import PixelsSpec, PreprocessingSpec
from difsims_core.experiment.correct.detector_files import find_mask
from difsims_core.experiment.inputs import ScanInputs
from tests.experiment.formats import mib, npy


@pytest.mark.parametrize(
    ("scan", "mask"),
    [
        ("roi_7_master.h5", "roi_7_mask.npy"), ("roi_7_master.h5", "roi_7_master_mask.npy"),
        ("roi_7_000.tvips", "roi_7_000_mask.npy"), ("roi_7_x4_y4.raw", "roi_7_x4_y4_mask.npy"),
        ("roi_7.mib", "roi_7_mask.npy"), ("roi_7.zarr", "roi_7_mask.npy"),
    ],
)  # fmt: skip
def test_a_mask_is_found_by_the_name_of_the_file_and_of_the_experiment(tmp_path, scan, mask):
    assert find_mask(PixelsSpec(), tmp_path / scan) is None
    (tmp_path / mask).write_bytes(b"")
    assert str(find_mask(PixelsSpec(), tmp_path / scan)).endswith(mask)
    assert find_mask(PixelsSpec(mask="given.npy"), tmp_path / scan) == "given.npy"


@pytest.mark.parametrize("write", [mib, npy])
@pytest.mark.parametrize(("up_down", "left_right"), [(False, False), (True, False), (False, True)])
def test_files_of_the_detector_lie_as_the_raw_file(tmp_path, write, up_down, left_right):
    """A dead corner of the detector stays with the pixels that it was recorded with."""
    counts = np.random.default_rng(1).integers(1, 99, (2, 2, 8, 8)).astype(np.uint16)
    counts[:, :, 0, 0] = 0
    path = write(tmp_path / "scan", counts)
    corner = counts[0, 0] > 0
    stored = corner[::-1] if write is mib else corner  # a Merlin file begins with the lowest row
    np.save(tmp_path / "scan_mask.npy", stored)
    np.save(tmp_path / "gain.npy", np.where(stored, 1.0, 3.0))
    spec = PreprocessingSpec.model_validate({
        "reading": {"calibration_per_angstrom": 0.05, "flip_up_down": up_down, "flip_left_right": left_right},
        "pixels": {"gain": str(tmp_path / "gain.npy")},
    })  # fmt: skip
    inputs = ScanInputs.read(path, spec)
    pattern = inputs.scan.frames[0, 0].compute()
    np.testing.assert_array_equal(inputs.mask, pattern > 0)
    np.testing.assert_array_equal(inputs.correct.gain, np.where(pattern > 0, 1.0, 3.0))
    remarks = " ".join(inputs.scan.remarks)
    assert "The mask scan_mask.npy was found beside the scan" in remarks
    turned = left_right or up_down != (write is mib)
    assert ("are turned as its patterns are" in remarks) == turned
