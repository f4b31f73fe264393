"""Profiles on another grid of bins, conserving the mean (docs/physics.md §2)."""

from __future__ import annotations

from difsims_core.kernels.compile import kernel


@kernel
def rebin_rows(profiles, step, low, high, scale, out):
    """Fill ``out`` (n, m) with averages of profiles that are constant within each annulus.

    Parameters
    ----------
    profiles
        (n, n_bins) float32 on annuli of width ``step`` about 0, step, 2 · step …
    step
        Å⁻¹.
    low, high
        (m,) edges of the new bins, Å⁻¹; ``scale`` (n,) multiplies those of each profile.
    out
        (n, m) float32; a bin beyond the last annulus takes what there is.
    """
    n_bins = profiles.shape[1]
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            left = (low[j] * scale[i]) / step + 0.5
            right = min((high[j] * scale[i]) / step + 0.5, float(n_bins))
            left = min(max(left, 0.5), right - 1e-9)
            total = 0.0
            for b in range(int(left), min(int(right) + 1, n_bins)):
                total += profiles[i, b] * max(min(right, b + 1.0) - max(left, float(b)), 0.0)
            out[i, j] = total / (right - left)
