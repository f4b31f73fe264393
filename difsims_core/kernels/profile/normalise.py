"""Min–max normalisation, and rounding to what is stored (docs/physics.md §7)."""

from __future__ import annotations

import numpy as np

from difsims_core.kernels.compile import kernel

_ONE, _ZERO = np.float32(1), np.float32(0)


@kernel
def normalise_rows(values, factor, out):
    """Fill ``out`` (n, m) float32 with each row of ``values`` (n, m) scaled to [0, 1]; a constant row becomes zeros.

    ``factor`` = 2^(24 − bits) + 1 rounds to ``bits`` significant bits by Veltkamp's splitting (Dekker, Numer. Math.
    18 (1971) 224); 0 leaves them exact.
    """
    scale = np.float32(factor)
    for i in range(values.shape[0]):
        row, target = values[i], out[i]
        low = high = row[0]
        for b in range(1, row.shape[0]):
            low = row[b] if row[b] < low else low
            high = row[b] if row[b] > high else high
        span = high - low
        if not span > _ZERO:
            target[:] = _ZERO
            continue
        for b in range(row.shape[0]):
            target[b] = (row[b] - low) / span
        if factor > 0.0:
            for b in range(row.shape[0]):
                large = target[b] * scale
                target[b] = large - (large - target[b])
