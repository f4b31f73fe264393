"""What of a profile is smooth: backgrounds and halos, which no crystal has."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.polynomial import legendre

_DEGREE = 3


def without_smooth(profiles: np.ndarray, degree: int = _DEGREE) -> np.ndarray:
    """Return profiles (…, n_q) less the polynomial in q that is nearest to each.

    >>> without_smooth(np.linspace(0, 1, 8) ** 2).round(9).tolist()
    [0.0, 0.0, 0.0, -0.0, 0.0, 0.0, 0.0, -0.0]
    """
    basis = _smooth_basis(profiles.shape[-1], degree)
    return profiles - (profiles @ basis) @ basis.T


@lru_cache(maxsize=8)
def _smooth_basis(n: int, degree: int) -> np.ndarray:
    """Return (n, degree + 1) orthonormal polynomials."""
    return np.linalg.qr(legendre.legvander(np.linspace(-1, 1, n), degree))[0]
