"""Amplitudes of polar patterns above their rings (docs/physics.md §12)."""

from __future__ import annotations

import math

import numpy as np

from difsims_core.kernels.compile import kernel


@kernel
def sort_columns(values):
    """Sort each column of (n, m) in place, all m at once: D. E. Knuth's merge exchange (vol. 3, §5.2.2, algorithm M).

    Which places are compared does not depend on the values, so that a step is the same for every column.
    """
    n, m = values.shape
    top = 1
    while 2 * top < n:
        top *= 2
    p = top
    while p > 0:
        q, r, d = top, 0, p
        while True:
            for i in range(n - d):
                if i & p == r:
                    for k in range(m):
                        one, other = values[i, k], values[i + d, k]
                        values[i, k] = min(one, other)
                        values[i + d, k] = max(one, other)
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2


@kernel
def ring_amplitudes(patterns, power, out):
    """Write (patterns above the median of their ring) ** power, scaled to a maximum of 1.

    Parameters
    ----------
    patterns
        (n, n_q, n_azimuth) float32; NaN nowhere.
    power
        Of what lies above, as 0.5.
    out
        (n, n_q, n_azimuth) float32, written; zeros where nothing rises above its ring.
    """
    n_q, n_azimuth = patterns.shape[1:]
    rings = np.empty((n_azimuth, n_q), np.float32)
    for i in range(patterns.shape[0]):
        for j in range(n_azimuth):
            for r in range(n_q):
                rings[j, r] = patterns[i, r, j]
        sort_columns(rings)
        highest = np.float32(0.0)
        for r in range(n_q):
            level = np.float32(0.5) * (rings[(n_azimuth - 1) // 2, r] + rings[n_azimuth // 2, r])
            highest = max(highest, rings[n_azimuth - 1, r] - level)
            for j in range(n_azimuth):
                out[i, r, j] = max(patterns[i, r, j] - level, np.float32(0.0))
        scale = np.float32(1.0) / highest if highest > 0.0 else np.float32(0.0)
        for r in range(n_q):
            for j in range(n_azimuth):
                relative = out[i, r, j] * scale
                out[i, r, j] = math.sqrt(relative) if power == 0.5 else relative**power
