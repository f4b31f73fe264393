"""What a correction of lens distortions leaves behind: rings are ellipses, and their centre is off.

References
----------
C. Mahr et al., Influence of distortions of recorded diffraction patterns on strain analysis by nano-beam electron
diffraction, Ultramicroscopy 196 (2019) 74.
"""

from __future__ import annotations

import numpy as np


def distortions(ellipticity: np.ndarray, direction_deg: np.ndarray, shift_px: np.ndarray) -> np.ndarray:
    """Return (n, 5): xx, xy, yy of the matrix that acts on spots, and the shift of the centre in x and y, pixels.

    The matrix is symmetric and of unit determinant; the ratio of its axes is 1 + ``ellipticity`` (n,), the long one
    along ``direction_deg`` (n,), from +x towards +y. ``shift_px`` is (n, 2).
    """
    long = np.sqrt(1 + ellipticity)
    angle = np.deg2rad(direction_deg)
    cos2, sin2, both = np.cos(angle) ** 2, np.sin(angle) ** 2, np.cos(angle) * np.sin(angle)
    return np.stack(
        [long * cos2 + sin2 / long, (long - 1 / long) * both, long * sin2 + cos2 / long, *shift_px.T], axis=1
    )
