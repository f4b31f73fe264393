"""Bring a profile onto another q axis: measured axes by interpolation, q crops by mean-conserving rebinning."""

from __future__ import annotations

import numpy as np

from difsims_core.config.signal import QCropSpec
from difsims_core.errors import ExperimentError, InputError
from difsims_core.signal.grid import RadialGrid

SAME_AXIS_PER_ANGSTROM = 1e-6
_SLACK_SAMPLES = 0.1  # by which an axis may fall short of a wanted end: ends are rounded to three decimals
_MOST_SAMPLES_APART = 2 * 1.01  # half a sample for each wanted one, in axes whose steps are rounded
REMEDY = "integrate the scan over more of q or more finely, or check its calibration and that q = 1/d in Å⁻¹ (no 2π)"


def resample_profiles(profiles: np.ndarray, q_from: np.ndarray, q_to: np.ndarray) -> np.ndarray:
    """Return profiles on another q axis, by linear interpolation within the measured range.

    Parameters
    ----------
    profiles
        (…, n_from) intensities.
    q_from, q_to
        (n_from,) and (n_to,) increasing axes, Å⁻¹. Axes that agree within 1e-6 Å⁻¹ leave the profiles alone.

    Raises
    ------
    ExperimentError
        If ``q_from`` does not fit the profiles, or does not cover ``q_to`` or is too coarse for it.
    """
    profiles, q_from, q_to = np.asarray(profiles), np.asarray(q_from, float), np.asarray(q_to, float)
    check_axis(profiles, q_from)
    if same_axis(q_from, q_to):
        return profiles
    check_sampling(q_from, q_to)
    inside = np.clip(q_to, q_from[0], q_from[-1])
    return _interpolated(inside, q_from, profiles.astype(np.float64)).astype(profiles.dtype)


def check_axis(profiles: np.ndarray, q_axis: np.ndarray) -> None:
    """Refuse a q axis that does not fit its profiles, or is not finite and increasing."""
    if q_axis.ndim != 1 or len(q_axis) == 0 or profiles.shape[-1:] != q_axis.shape:
        raise ExperimentError(
            f"the q axis has shape {q_axis.shape} but the profiles have {profiles.shape}",
            "the last axis of the profiles must be the q axis",
        )
    check_increasing(q_axis)


def check_increasing(q_axis: np.ndarray) -> None:
    """Refuse a q axis that is not finite and increasing."""
    if q_axis.size < 2 or not np.all(np.isfinite(q_axis)) or not np.all(q_axis[1:] > q_axis[:-1]):
        raise ExperimentError("the q axis must be finite and increasing, two points or more, in Å⁻¹ (q = 1/d, no 2π)")


def same_axis(a: np.ndarray, b: np.ndarray) -> bool:
    """Return whether two axes agree within 1e-6 Å⁻¹."""
    return a.shape == b.shape and np.allclose(a, b, rtol=0, atol=SAME_AXIS_PER_ANGSTROM)


def check_sampling(q_axis: np.ndarray, q_wanted: np.ndarray) -> None:
    """Refuse a measured q axis from which profiles on the wanted one cannot be interpolated."""
    wrong = shortcoming(q_axis, q_wanted)
    if wrong is not None:
        raise ExperimentError(f"{wrong}", REMEDY)


def shortcoming(q_axis: np.ndarray, q_wanted: np.ndarray) -> str | None:
    """Return why profiles on the wanted axis cannot be interpolated from a measured one; None when they can.

    The measured axis must cover the wanted one, and have at least half a sample for each of its samples over all of
    its range: no two neighbours may lie more than two wanted samples apart.
    """
    ends = np.abs(np.diff(q_wanted[[0, 1, -2, -1]])[[0, -1]]) if len(q_wanted) > 1 else np.zeros(2)
    slack = np.maximum(_SLACK_SAMPLES * ends, SAME_AXIS_PER_ANGSTROM)
    if len(q_axis) < 2 or q_axis[0] > q_wanted[0] + slack[0] or q_axis[-1] < q_wanted[-1] - slack[1]:
        return (
            f"the measured q axis covers {q_axis[0]:.4f} … {q_axis[-1]:.4f} Å⁻¹ but {q_wanted[0]:.4f} … "
            f"{q_wanted[-1]:.4f} Å⁻¹ is needed"
        )
    if len(q_wanted) < 2:
        return None
    used = q_axis[range_used(q_axis, q_wanted)]
    gaps = np.diff(_in_samples(used, q_wanted))
    at = int(np.argmax(gaps))
    if gaps[at] <= _MOST_SAMPLES_APART:
        return None
    return (
        f"the measured q axis goes from {used[at]:.4g} to {used[at + 1]:.4g} Å⁻¹ without a sample in between, "
        f"{gaps[at]:.3g} samples of the model's; at most 2 can be bridged"
    )


def range_used(q_axis: np.ndarray, q_wanted: np.ndarray) -> slice:
    """Return the samples of a measured axis between which a wanted one lies."""
    first = max(int(np.searchsorted(q_axis, q_wanted[0], side="right")) - 1, 0)
    return slice(first, int(np.searchsorted(q_axis, q_wanted[-1], side="left")) + 1)


def _in_samples(q: np.ndarray, q_wanted: np.ndarray) -> np.ndarray:
    """Return positions as (fractional) indices into an axis, continued beyond its ends."""
    return _interpolated(q, q_wanted, np.arange(len(q_wanted), dtype=float))


def _interpolated(q: np.ndarray, known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return (…, m) values at ``q`` (m,) of straight lines through (…, n) at ``known`` (n,), continued beyond its ends.

    `numpy.interp` takes one profile at a time and continues none.
    """
    left = np.clip(np.searchsorted(known, q, side="right") - 1, 0, len(known) - 2)
    per_length = 1 / (known[left + 1] - known[left])
    before, after = per_length * (known[left + 1] - q), per_length * (q - known[left])
    return values[..., left] * before + values[..., left + 1] * after


def bin_edges(crop: QCropSpec) -> tuple[np.ndarray, np.ndarray]:
    """Return the (n_points,) lower and upper edges of the bins of a q crop, Å⁻¹."""
    centres = q_crop_axis(crop)
    half = (centres[1] - centres[0]) / 2
    return np.maximum(centres - half, 0.0), centres + half


def check_q_crop(grid: RadialGrid, crop: QCropSpec) -> None:
    """Refuse a q crop that the grid does not reach, its jitter included, with ``InputError``."""
    reach = (grid.n_bins - 0.5) * grid.step_per_angstrom
    end = bin_edges(crop)[1][-1] * (1.0 if crop.jitter is None else crop.jitter.support()[1])
    if end > reach:
        raise InputError(
            f"the q crop ends at {end:.4f} Å⁻¹ but the radial grid ends at {reach:.4f} Å⁻¹", "lower q_max or the jitter"
        )


def q_crop_axis(crop: QCropSpec) -> np.ndarray:
    """Return the (n_points,) bin centres of a q crop, Å⁻¹."""
    return np.linspace(crop.q_min_per_angstrom, crop.q_max_per_angstrom, crop.n_points)
