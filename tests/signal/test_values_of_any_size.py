"""Profiles whose numbers float32 does not hold: what they say is kept, from the file to the network and the scores."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from difsims_core.evaluate.experiment_scores import evaluate_experiment
from difsims_core.signal.preprocess import preprocess_measured
from difsims_core.storage.npz.contracts import Prediction, Profiles, read_profiles, write_profiles

Q = np.linspace(0.1, 1.3, 147)
FINER = np.linspace(0.0, 1.5, 400)


def profiles(q: np.ndarray = Q) -> np.ndarray:
    """Return (5, n) profiles with one peak each, between 1 and 3."""
    return 1 + 2 * np.exp(-(((q - np.linspace(0.3, 1.1, 5)[:, None]) / 0.05) ** 2))


@pytest.mark.parametrize("q", [Q, FINER], ids=["same axis", "finer axis"])
@given(exponent=st.integers(-300, 300), sqrt=st.booleans())
def test_the_scale_of_a_profile_does_not_matter(q, exponent, sqrt):
    expected, _ = preprocess_measured(profiles(q), q, Q, sqrt=sqrt)
    found, invalid = preprocess_measured(profiles(q) * 10.0**exponent, q, Q, sqrt=sqrt)
    assert not invalid.any()
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-300, 1e-44, 1e-38, 1e30, 1e39, 1e300])
@pytest.mark.parametrize("write", [write_profiles, lambda path, x, y: np.savez(path, x=x, y=y)])
def test_files_keep_what_float32_would_lose(tmp_path, write, scale):
    path = tmp_path / "a_radial_crop.npz"
    write(path, Q, profiles() * scale)
    y = read_profiles(path).y
    np.testing.assert_allclose(y / scale, profiles(), rtol=1e-6)
    treated, invalid = preprocess_measured(y, Q, Q, sqrt=False)
    assert not invalid.any()
    np.testing.assert_allclose(treated, preprocess_measured(profiles(), Q, Q, sqrt=False)[0], atol=1e-6)


def test_one_scan_may_hold_both_ends(tmp_path):
    y = profiles() * np.array([1e-300, 1e-3, 1, 1e30, 1e300])[:, None]
    np.savez(tmp_path / "a.npz", x=Q, y=y)
    treated, invalid = preprocess_measured(read_profiles(tmp_path / "a.npz").y, Q, Q, sqrt=True)
    assert not invalid.any()
    np.testing.assert_allclose(treated, preprocess_measured(profiles(), Q, Q, sqrt=True)[0], atol=1e-6)


@pytest.mark.parametrize(
    ("y", "rtol"),
    [
        (profiles() + 1e9, 1e-5),  # a pedestal of which float32 knows every 64th number
        ((profiles() * 1000).astype(np.int64) + 2**40, 1e-3),
        ((profiles() * 1000).astype(np.uint64) + 2**50, 1e-3),
        ((profiles() * 1000).astype(np.int16), 1e-3),
        (profiles().astype(np.float16), 2e-3),
        ((profiles() * 1e4).astype(np.float16), 2e-3),
        (profiles().astype(">f8"), 1e-6),
    ],
)
def test_offsets_large_counts_and_small_types(tmp_path, y, rtol):
    np.savez(tmp_path / "a.npz", x=Q, y=y)
    treated, invalid = preprocess_measured(read_profiles(tmp_path / "a.npz").y, Q, Q, sqrt=False)
    assert not invalid.any()
    np.testing.assert_allclose(treated, preprocess_measured(profiles(), Q, Q, sqrt=False)[0], atol=rtol)


@pytest.mark.parametrize("scale", [1.0, 1e-300, 1e300])
@pytest.mark.parametrize("q", [Q, FINER], ids=["same axis", "finer axis"])
def test_a_constant_is_a_constant_whatever_its_size_and_axis(q, scale):
    """Interpolation rounds: a constant of 0.1 must not become a profile of the last bits."""
    y = np.full((4, len(q)), [[0.1], [1 / 3], [0.7], [0.0]]) * scale
    treated, invalid = preprocess_measured(y, q, Q, sqrt=False)
    assert invalid.all()
    assert np.all(treated == 0)


def test_ordinary_files_are_read_as_float32(tmp_path):
    y = profiles()
    y[0], y[1, 3], y[2, 4] = 0, np.nan, np.inf
    np.savez(tmp_path / "a.npz", x=Q, y=y)
    found = read_profiles(tmp_path / "a.npz").y
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, y.astype(np.float32))


@pytest.mark.skipif(np.finfo(np.longdouble).maxexp <= 1024, reason="no wider numbers on this machine")
def test_what_float64_does_not_hold_is_not_usable():
    y = profiles().astype(np.longdouble)
    y[1] *= np.longdouble(10) ** 400
    treated, invalid = preprocess_measured(y, Q, Q, sqrt=False)
    assert invalid.tolist() == [False, True, False, False, False]
    assert np.all(np.isfinite(treated))


@pytest.mark.parametrize("scale", [1e-300, 1e-9, 1e307])
def test_scores_do_not_depend_on_the_scale(scale):
    pred = np.tile([[0.9, 0.1]], (5, 1)).astype(np.float32)
    prediction = Prediction(pred, ("a", "b"), "cnn-1", x=Q)

    def document(y: np.ndarray) -> dict:
        found = evaluate_experiment(prediction, Profiles("scan", Q, y, ""), {}).to_document()
        return json.loads(json.dumps(found, allow_nan=False))["phases"][0]

    expected, found = document(profiles()), document(profiles() * scale)
    assert found["peaks"]["q_per_angstrom"] == pytest.approx(expected["peaks"]["q_per_angstrom"], abs=1e-6)
    np.testing.assert_allclose(np.divide(found["mean_profile"], scale), expected["mean_profile"], rtol=1e-5)
