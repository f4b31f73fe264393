"""From spots to the electrons that a detector expects (docs/physics.md §5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np
from scipy.special import erfc

Q_STEP = 0.004
Q = np.arange(0, 3.0, Q_STEP)  # Å⁻¹, beyond the corner of every frame
_DISC_STEP = 0.05  # px, of the table of a disc


@dataclass(frozen=True)
class Optics:
    """How a pattern lies on the detector: recorded = distortion · true, (row, column), about the beam.

    Attributes
    ----------
    size
        Pixels along one edge.
    calibration
        Å⁻¹ a pixel, the true one.
    distortion
        (2, 2).
    disc_px, blur_px
        Radius of the discs; standard deviation of the Gaussian that they are folded with.
    """

    size: int
    calibration: float
    distortion: np.ndarray
    disc_px: float
    blur_px: float

    @cached_property
    def disc(self) -> np.ndarray:
        """Intensity a pixel of a disc of unit volume at each distance from its middle."""
        r = np.arange(0, self.disc_px + 5 * self.blur_px + 2 * _DISC_STEP, _DISC_STEP)
        edge = erfc((r - self.disc_px) / (np.sqrt(2) * self.blur_px))
        return edge / (2 * np.pi * r * edge).sum() / _DISC_STEP

    def frame(self, shift: np.ndarray, g: np.ndarray, intensity: np.ndarray, radial: np.ndarray) -> np.ndarray:
        """Return the expected electrons of each pixel.

        Parameters
        ----------
        shift : (2,)
            Of the beam from the middle of the frame, row and column, px.
        g : (n, 2)
            Along columns and rows, Å⁻¹; the direct beam is one of them.
        intensity : (n,)
            Electrons.
        radial : (len(Q),)
            Smooth part, electrons per Å⁻².
        """
        image, centre = np.empty((self.size, self.size)), shift + (self.size - 1) / 2
        _smooth(image, centre, np.linalg.inv(self.distortion) * self.calibration, radial * self.calibration**2, Q_STEP)
        places = centre + g[:, ::-1] @ self.distortion.T / self.calibration
        _discs(image, places, intensity, self.disc, _DISC_STEP)
        return image


def share_of_rings(shape: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return a smooth curve on Q, per Å⁻², whose integral over the plane is 1."""
    curve = shape(Q)
    return curve / (2 * np.pi * Q * curve).sum() / Q_STEP


def sums_as_density(sums: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the density on Q, per Å⁻², of what is summed over rings."""
    if not sums.size:
        return np.zeros(len(Q))
    middle = (edges[1:] + edges[:-1]) / 2
    return np.interp(Q, middle, sums / (np.pi * np.diff(edges**2)), right=0)


@numba.njit(cache=True)
def _smooth(image, centre, to_q, radial, step):
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            y, x = row - centre[0], column - centre[1]
            place = np.hypot(to_q[0, 0] * y + to_q[0, 1] * x, to_q[1, 0] * y + to_q[1, 1] * x) / step
            low = min(int(place), len(radial) - 2)
            image[row, column] = radial[low] + min(place - low, 1.0) * (radial[low + 1] - radial[low])


@numba.njit(cache=True)
def _discs(image, places, intensity, disc, step):
    reach = int(len(disc) * step) + 1
    for spot in range(len(places)):
        y, x = places[spot]
        for row in range(max(int(y) - reach, 0), min(int(y) + reach + 2, image.shape[0])):
            for column in range(max(int(x) - reach, 0), min(int(x) + reach + 2, image.shape[1])):
                place = np.hypot(row - y, column - x) / step
                low = int(place)
                if low < len(disc) - 1:
                    image[row, column] += intensity[spot] * (disc[low] + (place - low) * (disc[low + 1] - disc[low]))
