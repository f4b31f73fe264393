"""Where no beam is found, the error advises what helps, not what was tried."""

import numpy as np
import pytest

from difsims_core.errors import ExperimentError
from tests.experiment.made_scans import Faults, make_scan
from tests.experiment.test_diagnosis import NO_ELLIPSE, PHASES, diagnosed

NOISE = np.random.default_rng(81).poisson(1.0, (2, 3, 160, 160)).astype(np.uint16)


def advice(folder, frames, **spec) -> ExperimentError:
    with pytest.raises(ExperimentError) as raised:
        diagnosed(folder, frames, phases=(), geometry=NO_ELLIPSE, **spec)
    return raised.value


def test_noise_has_no_friedel_pairs_and_they_are_not_advised_again(tmp_path):
    found = advice(tmp_path, NOISE, beam={"method": "friedel"})
    assert "beam.method: given" in found.remedy
    assert "beam.method: friedel" not in found.remedy


def test_faint_discs_are_not_looked_for_by_pairs_of_spots(tmp_path):
    frames = np.zeros((2, 3, 160, 160), np.uint16)
    frames[:, :, 78:82, 78:82] = 1  # 16 electrons
    found = advice(tmp_path, frames)
    assert "too few electrons" in found.remedy
    assert "friedel" not in found.remedy


def test_a_mask_over_the_beam_is_named(tmp_path):
    """An inverted one: what counts is what should not."""
    frames = make_scan(PHASES, Faults(seed=82, electrons=60_000), scan_shape=(2, 2)).frames
    mask = np.zeros((160, 160), bool)
    mask[:20, :20] = True
    np.save(tmp_path / "mask.npy", mask)
    found = advice(tmp_path, frames, pixels={"mask": str(tmp_path / "mask.npy")})
    assert "left out by the mask" in found.problem
    assert "True for pixels that count" in found.remedy


def test_noise_beside_a_masked_hot_pixel_is_not_put_down_to_the_mask(tmp_path):
    frames, mask = NOISE.copy(), np.ones((160, 160), bool)
    frames[:, :, 40, 50], mask[40, 50] = 60_000, False
    np.save(tmp_path / "mask.npy", mask)
    assert "mask" not in advice(tmp_path, frames, pixels={"mask": str(tmp_path / "mask.npy")}).problem
