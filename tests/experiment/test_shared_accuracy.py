"""How accurate preprocessing is on multislice scans whose faults are known; truth is for scoring only."""

import numpy as np
import pytest

from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.experiment.frames import sample_patterns
from difsims_core.experiment.prepare import prepare_scan

PHASES = ("p4mbm_scaled_mixed_halide", "gratia_2h", "pbi2_2h")


@pytest.mark.parametrize("name", ["scan_1", "film_1", "film_2", "film_3"])
def test_centres_and_ellipse_of_a_multislice_scan(shared_data, name):
    prepared = prepare_scan(shared_data / f"{name}.hspy", PreprocessingSpec(phases=PHASES))
    sample = sample_patterns(prepared.scan, prepared.correct)
    centres, modelled = prepared.survey.centres(sample.frames, sample.positions)
    with np.load(shared_data / "truth" / f"{name}_truth.npz") as truth:
        true = truth["shifts_yx_px"].reshape(-1, 2) + 127.5  # the middle of 256 px
        distortion = truth["distortion_yx"]
    error = np.hypot(*(centres - true).T)
    assert np.median(error) <= 0.05
    assert np.percentile(error, 95) <= 0.12
    ellipse = np.array([(distortion[0, 0] - distortion[1, 1]) / 2, distortion[0, 1]])
    assert np.hypot(*(np.array(prepared.survey.geometry.ellipse) - ellipse)) <= 0.003
    assert not modelled.any()
