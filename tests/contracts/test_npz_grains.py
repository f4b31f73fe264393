"""The keys ``grain`` and ``grain_pred`` of a prediction."""

from dataclasses import replace

import numpy as np
import pytest

from difsims_core.errors import ExperimentError
from difsims_core.storage.npz.contracts import Prediction, read_prediction, write_prediction

PRED = np.full((2, 3, 2), 0.5, np.float32)
GRAIN = np.int32([[0, 0, -1], [1, 1, 0]])
WITH = Prediction(PRED, ("a", "b"), "cnn-1", grain=GRAIN, grain_pred=np.float32(np.eye(2)[np.maximum(GRAIN, 0)]))


def test_grains_are_read_as_they_were_written(store_url):
    url = f"{store_url}/p/roi_1_probability_pred.npz"
    write_prediction(url, WITH)
    found = read_prediction(url)
    assert (found.grain.dtype, found.grain_pred.dtype) == (np.int32, np.float32)
    np.testing.assert_array_equal(found.grain, GRAIN)
    np.testing.assert_array_equal(found.grain_pred, WITH.grain_pred)
    np.testing.assert_array_equal(found.pred, PRED)
    write_prediction(url, replace(WITH, grain=None, grain_pred=None))
    assert read_prediction(url).grain is read_prediction(url).grain_pred is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"grain": GRAIN[:1]}, r"grain of shape \(2, 3\)"),
        ({"grain": GRAIN - 1}, "grain from −1"),
        ({"grain": GRAIN.astype(np.float32)}, "integers in grain"),
        ({"grain": GRAIN.astype(np.int64) + 2**31}, "grain from −1 to 2147483647"),
        ({"grain_pred": np.full_like(PRED, 0.4)}, r"grain_pred.*0\.8"),
        ({"grain_pred": np.full_like(PRED, np.nan)}, "grain_pred.*nan"),
        ({"grain_pred": PRED[..., :1]}, r"grain_pred of shape \(2, 3, 2\)"),
        ({"grain_pred": None}, "one alone"),
        ({"grain": None}, "one alone"),
    ],
)
def test_grains_that_break_the_contract_are_refused(tmp_path, changes, words):
    path = tmp_path / "a_probability_pred.npz"
    arrays = {"pred": PRED, "phases": ["a", "b"], "cnn_id": "c", "grain": GRAIN, "grain_pred": WITH.grain_pred}
    np.savez(path, **{key: values for key, values in (arrays | changes).items() if values is not None})
    with pytest.raises(ExperimentError, match=words):
        read_prediction(path)
