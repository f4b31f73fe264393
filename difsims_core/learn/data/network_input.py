"""Patterns as a network takes them, where it is trained and where it is used."""

from __future__ import annotations

import numpy as np


def network_input(patterns: np.ndarray) -> np.ndarray:
    """Return profiles (n, n_q) as (n, n_q, 1); of polar patterns (n, n_q, n_φ) the amplitudes, (n, n_q, n_φ, 1)."""
    if patterns.ndim > 2:
        from difsims_core.signal.amplitudes import ring_amplitudes

        patterns = ring_amplitudes(patterns)
    return patterns[..., None]
