"""Amplitudes of polar patterns, in which spots of any height count and what is the same all around does not.

See docs/physics.md §12.
"""

from __future__ import annotations

import numpy as np

from difsims_core.kernels.polar import amplitudes


def ring_amplitudes(patterns: np.ndarray, power: float = 0.5) -> np.ndarray:
    """Return what of polar patterns lies above the median of its ring, to a power, scaled to a maximum of 1.

    Parameters
    ----------
    patterns
        (…, n_q, n_φ) intensities of any scale, finite.
    power
        0.5: amplitudes; 0.25 favours weak spots, and noise.

    Returns
    -------
    (…, n_q, n_φ) float32, zeros of a pattern that nowhere rises above its rings. The same for any offset and scale.
    """
    patterns = np.asarray(patterns)
    flat = np.ascontiguousarray(patterns, np.float32).reshape(-1, *patterns.shape[-2:])
    out = np.empty_like(flat)
    amplitudes.ring_amplitudes(flat, power, out)
    return out.reshape(patterns.shape)
