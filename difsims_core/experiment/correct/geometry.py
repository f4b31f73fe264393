"""What a detector frame is in reciprocal space: its calibration and its distortion."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from difsims_core.errors import InputError

_LARGEST_ELLIPTICITY = 0.2


@dataclass(frozen=True, slots=True)
class Geometry:
    """How detector pixels become scattering vectors; applied once, as the transform of the integration.

    Attributes
    ----------
    calibration_per_angstrom : float
        Width of a pixel, Å⁻¹ (q = 1/d).
    ellipse : (2,) tuple of float
        (a, b): a pattern is recorded as D · true with D = [[1 + a, b], [b, 1 − a]] on (row, column), so that the
        ellipticity (long − short)/(long + short axis) is √(a² + b²).
    calibration_error, ellipse_error : float
        Standard deviations: relative, and of a and b; 0 where the value was given.
    """

    calibration_per_angstrom: float
    ellipse: tuple[float, float] = (0.0, 0.0)
    calibration_error: float = field(default=0.0, compare=False)
    ellipse_error: float = field(default=0.0, compare=False)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.calibration_per_angstrom) and self.calibration_per_angstrom > 0):
            raise InputError(f"expected a calibration above 0 Å⁻¹/px, found {self.calibration_per_angstrom}")
        if not self.ellipticity < _LARGEST_ELLIPTICITY:
            raise InputError(f"expected an ellipticity below {_LARGEST_ELLIPTICITY}, found {self.ellipticity:.3g}")

    @property
    def ellipticity(self) -> float:
        """(long axis − short axis)/(long axis + short axis)."""
        return math.hypot(*self.ellipse)

    @property
    def undistort(self) -> np.ndarray:
        """(2, 2) float64: true = undistort · recorded, on (row, column)."""
        a, b = self.ellipse
        return np.array([[1 - a, -b], [-b, 1 + a]]) / (1 - a * a - b * b)
