"""From intensities to what a network sees (docs/physics.md §7): square root where asked for, then min–max to [0, 1]."""

from __future__ import annotations

import numpy as np

from difsims_core.errors import ExperimentError
from difsims_core.signal.resample import check_axis, check_sampling, range_used, resample_profiles, same_axis

_ROUNDING = 1e-12  # of the largest number of a profile: less is what float64 makes of a constant


def normalise(profiles: np.ndarray, n_dim: int = 1) -> np.ndarray:
    """Scale each profile to [0, 1] along the last ``n_dim`` axes, float32; a constant one becomes zeros, never NaN."""
    profiles = np.asarray(profiles)
    axes = _last(n_dim)
    low = profiles.min(axis=axes, keepdims=True)
    span = profiles.max(axis=axes, keepdims=True) - low
    scaled = (profiles - low) / np.where(span > 0, span, 1)
    return scaled.astype(np.float32, copy=False)


def square_root(profiles: np.ndarray) -> np.ndarray:
    """Return √ of intensities; what a background subtraction left below zero counts as zero."""
    return np.sqrt(np.maximum(profiles, 0))


def preprocess_measured(
    profiles: np.ndarray, q_axis: np.ndarray, q_network: np.ndarray, *, sqrt: bool, n_dim: int = 1
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
    n_dim
        Axes of one pattern: 1, profiles (…, n); 2, polar patterns (…, n, n_φ), which are scaled as a whole.

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
    q_last = profiles if n_dim == 1 else np.moveaxis(profiles, -n_dim, -1)
    q_last, finite = measured_on_axis(q_last, q_axis, q_network)
    resampled = np.moveaxis(q_last, -1, -n_dim)
    treated = square_root(resampled) if sqrt else resampled
    axes = _last(n_dim)
    contrast, size = np.ptp(treated, axis=axes), np.abs(treated).max(axis=axes)
    invalid = ~finite.all(axis=axes[1:]) | ~(contrast > _ROUNDING * size) | ~np.isfinite(contrast)
    return normalise(np.where(np.expand_dims(invalid, axes), 0, treated), n_dim), invalid


def _last(n_dim: int) -> tuple[int, ...]:
    return tuple(range(-n_dim, 0))


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
