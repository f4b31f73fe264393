"""From intensities to what a network sees (PHYSICS §7): square root where asked for, then min–max to [0, 1]."""

from __future__ import annotations

import numpy as np

from difsims_core.errors import ExperimentError
from difsims_core.signal.resample import check_axis, check_sampling, range_used, resample_profiles, same_axis

_ROUNDING = 1e-12  # of the largest number of a profile: less is what float64 makes of a constant


def normalise(profiles: np.ndarray) -> np.ndarray:
    """Scale each profile to [0, 1] along the last axis, float32; a constant profile becomes zeros, never NaN."""
    profiles = np.asarray(profiles)
    low = profiles.min(axis=-1, keepdims=True)
    span = profiles.max(axis=-1, keepdims=True) - low
    scaled = (profiles - low) / np.where(span > 0, span, 1)
    return scaled.astype(np.float32, copy=False)


def square_root(profiles: np.ndarray) -> np.ndarray:
    """Return √ of intensities; what a background subtraction left below zero counts as zero."""
    return np.sqrt(np.maximum(profiles, 0))


def preprocess_measured(
    profiles: np.ndarray, q_axis: np.ndarray, q_network: np.ndarray, *, sqrt: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Bring measured profiles to a network's q axis and scale, as the simulated ones were.

    Parameters
    ----------
    profiles
        (…, n) measured intensities, any navigation shape.
    q_axis, q_network
        (n,) measured and (m,) wanted q axis, Å⁻¹.
    sqrt
        Whether the network was trained on square roots.

    Returns
    -------
    profiles
        (…, m) float32 in [0, 1]; zeros where invalid.
    invalid
        (…) bool: profiles that hold NaN or infinity, or are constant, so that nothing can be said of them. Numbers of
        any size are scaled, profile by profile, before they become float32.

    Raises
    ------
    ExperimentError
        If the shapes do not fit, or the measured axis does not cover the wanted one or is too coarse for it.
    """
    resampled, finite = measured_on_axis(profiles, q_axis, q_network)
    treated = square_root(resampled) if sqrt else resampled
    contrast, size = np.ptp(treated, axis=-1), np.abs(treated).max(axis=-1)
    invalid = ~finite | ~(contrast > _ROUNDING * size) | ~np.isfinite(contrast)
    return normalise(np.where(invalid[..., None], 0, treated)), invalid


def measured_on_axis(profiles: np.ndarray, q_axis: np.ndarray, q_wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return measured profiles (…, m) float64 on another axis, and (…) bool: which are finite where it matters.

    What lies outside the wanted range, such as NaN behind a beam stop, has no say. Profiles that are not finite come
    back as zeros. Errors as ``preprocess_measured``.
    """
    profiles, q_axis = np.asarray(profiles), np.asarray(q_axis, float)
    if profiles.ndim < 1 or not np.issubdtype(profiles.dtype, np.number) or np.iscomplexobj(profiles):
        raise ExperimentError(f"expected real numbers of shape (…, n_q), found {profiles.dtype} {profiles.shape}")
    check_axis(profiles, q_axis)
    if not same_axis(q_axis, q_wanted):
        check_sampling(q_axis, q_wanted)
    used = range_used(q_axis, q_wanted)
    profiles, q_axis = profiles[..., used], q_axis[used]
    with np.errstate(over="ignore"):
        profiles = profiles.astype(np.float64)
    finite = np.asarray(np.isfinite(profiles).all(axis=-1))
    filled = np.where(finite[..., None], profiles, 0)
    return resample_profiles(filled, q_axis, q_wanted), finite
