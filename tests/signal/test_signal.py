"""Grid, resampling and normalisation, the same for measured and simulated profiles (docs/physics.md §§2, 7)."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy.interpolate import make_interp_spline

from difsims_core.config.signal import QCropSpec
from difsims_core.errors import ExperimentError, InputError
from difsims_core.kernels.profile.rebin import rebin_rows
from difsims_core.signal.grid import RadialGrid
from difsims_core.signal.preprocess import normalise, preprocess_measured
from difsims_core.signal.resample import bin_edges, check_q_crop, q_crop_axis, resample_profiles

GRID = RadialGrid()
Q_PX = GRID.q[GRID.crop]


@given(
    npst.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(2, 9)), elements=st.floats(-1e6, 1e6, width=32))
)
def test_normalised_profiles_fill_zero_to_one_and_constants_become_zeros(profiles):
    scaled = normalise(profiles)
    assert scaled.dtype == np.float32
    assert np.all(np.isfinite(scaled))
    constant = np.ptp(profiles, axis=1) == 0
    assert np.all(scaled[constant] == 0)
    assert np.all(scaled[~constant].min(axis=1) == 0)
    assert np.all(scaled[~constant].max(axis=1) == 1)


def test_normalising_twice_changes_nothing():
    profiles = np.random.default_rng(1).normal(size=(5, 147)).astype(np.float32)
    once = normalise(profiles)
    assert np.array_equal(normalise(once), once)


def rebinned(profiles, crop, scale=1.0):
    """Return profiles (n, n_bins) on a q crop whose limits are scaled."""
    out = np.empty((len(profiles), crop.n_points))
    rebin_rows(profiles, GRID.step_per_angstrom, *bin_edges(crop), np.full(len(profiles), scale), out)
    return out


def test_a_jittered_q_crop_moves_peaks_against_the_axis():
    """Limits that are 3 % larger put a peak of the profile 3 % lower on the axis, which stays as it is."""
    crop = QCropSpec()
    profile = np.exp(-((GRID.q - 0.7) ** 2) / (2 * 0.03**2))[None]
    q = q_crop_axis(crop)
    for scale in (0.95, 1.0, 1.03):
        moved = rebinned(profile, crop, scale)[0]
        assert (moved * q).sum() / moved.sum() == pytest.approx(0.7 / scale, rel=2e-3)


def test_the_q_crop_conserves_the_mean():
    """Constants stay, straight lines stay inside, and the integral over the crop is that of the annuli."""
    crop = QCropSpec()
    operator, q = rebinned(np.eye(GRID.n_bins), crop).T, q_crop_axis(crop)
    assert (q[0], q[-1], len(q)) == (pytest.approx(0.11), pytest.approx(1.30), 147)
    np.testing.assert_allclose(operator.sum(axis=1), 1)
    np.testing.assert_allclose(operator @ GRID.q, q, atol=GRID.step_per_angstrom / 4)
    profile = np.random.default_rng(2).random(GRID.n_bins)
    width = q[1] - q[0]
    edges = (np.arange(GRID.n_bins + 1) - 0.5) * GRID.step_per_angstrom
    cumulative = np.interp([q[0] - width / 2, q[-1] + width / 2], edges, np.concatenate([[0], np.cumsum(profile)]))
    assert (operator @ profile).sum() * width == pytest.approx(np.diff(cumulative)[0] * GRID.step_per_angstrom)


def test_a_crop_beyond_the_grid_is_refused():
    with pytest.raises(InputError, match="lower q_max"):
        check_q_crop(GRID, QCropSpec(q_max_per_angstrom=3.0))


@pytest.mark.parametrize("shape", [(), (4,), (3, 2), (2, 2, 2)])
def test_measured_profiles_keep_their_navigation_shape(shape):
    profiles = np.random.default_rng(3).random((*shape, 147))
    treated, invalid = preprocess_measured(profiles, Q_PX, Q_PX, sqrt=False)
    assert treated.shape == (*shape, 147)
    assert invalid.shape == shape
    assert not invalid.any()
    np.testing.assert_allclose(treated, normalise(profiles))


def test_pixels_that_say_nothing_are_marked():
    profiles = np.random.default_rng(4).random((2, 3, 147))
    profiles[0, 0, 5], profiles[0, 1], profiles[1, 2, 0] = np.nan, 0.3, np.inf
    treated, invalid = preprocess_measured(profiles, Q_PX, Q_PX, sqrt=True)
    assert invalid.tolist() == [[True, True, False], [False, False, True]]
    assert np.all(np.isfinite(treated))


def test_another_axis_is_resampled_within_its_range():
    wide = np.linspace(0.05, 1.5, 900)
    peak = np.exp(-((wide - 0.6) ** 2) / (2 * 0.02**2))
    resampled = resample_profiles(peak, wide, Q_PX)
    np.testing.assert_allclose(resampled, np.exp(-((Q_PX - 0.6) ** 2) / (2 * 0.02**2)), atol=2e-3)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.uint16])
def test_resampling_is_the_linear_spline_of_scipy(kind):
    random = np.random.default_rng(2)
    axis = np.concatenate([[Q_PX[0]], random.uniform(Q_PX[0], Q_PX[-1], 2000), [Q_PX[5]], [Q_PX[-1]]])
    axis = np.unique(axis)
    profiles = (1000 * random.random((2, 3, len(axis)))).astype(kind)
    expected = make_interp_spline(axis, profiles, k=1, axis=-1)(Q_PX).astype(kind)
    assert np.array_equal(resample_profiles(profiles, axis, Q_PX), expected)


@pytest.mark.parametrize(
    ("axis", "words"),
    [
        (np.linspace(0.2, 1.4, 147), "covers 0.2000 … 1.4000"),
        (Q_PX * 2 * np.pi, "no 2π"),
        (Q_PX[::-1], "increasing"),
        (Q_PX[:-1], "shape"),
        (np.full(147, np.nan), "finite"),
    ],
)
def test_axes_that_do_not_fit_are_refused(axis, words):
    with pytest.raises(ExperimentError, match=words):
        preprocess_measured(np.random.default_rng(5).random((2, 147)), axis, Q_PX, sqrt=False)


@pytest.mark.parametrize("values", [np.array(["a"] * 147), np.zeros(147, complex), np.float64(3)])
def test_what_is_no_profile_is_refused(values):
    with pytest.raises(ExperimentError, match=re.escape(f"{values.dtype} {values.shape}")):
        preprocess_measured(values, Q_PX, Q_PX, sqrt=False)


def test_what_lies_beyond_the_wanted_range_has_no_say():
    """NaN behind a beam stop, below the range that is needed."""
    wide = np.linspace(0.0, 2.0, 400)
    profiles = np.random.default_rng(6).random((2, 400))
    clean, _ = preprocess_measured(profiles, wide, Q_PX, sqrt=False)
    profiles[0, :15], profiles[1, -30:] = np.nan, np.inf
    treated, invalid = preprocess_measured(profiles, wide, Q_PX, sqrt=False)
    assert not invalid.any()
    np.testing.assert_array_equal(treated, clean)
