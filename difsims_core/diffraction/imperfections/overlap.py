"""Two grains in the beam, turned differently, of one phase or of two.

Their kinematical intensities add. A volume scatters in proportion to |F|² over the square of the cell's volume Ω, so
that the second grain of volume fraction f has the weight f (Ω₁ / Ω₂)² where the first has 1 − f.

References
----------
A. Valery et al., Retrieving overlapping crystals information from TEM nano-beam electron diffraction patterns,
J. Microsc. 268 (2017) 208.
"""

from __future__ import annotations

import numpy as np


def second_weight(fraction: np.ndarray, first_cell: np.ndarray, second_cell: np.ndarray) -> np.ndarray:
    """Return (n,) weights of second grains of volume fractions (n,), cells of both in Å³."""
    return fraction * (first_cell / second_cell) ** 2


def volume_fractions(labels: np.ndarray, second_label: np.ndarray, fraction: np.ndarray, n_classes: int) -> np.ndarray:
    """Return (n, n_classes) float32 volume fractions of the classes, which sum to 1."""
    fractions = np.zeros((len(labels), n_classes), np.float32)
    rows = np.arange(len(labels))
    fractions[rows, second_label] = fraction
    fractions[rows, labels] += 1 - fraction
    return fractions
