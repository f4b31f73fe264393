"""Counting noise and hot pixels in the cells of a reduced polar grid, without an image (docs/physics.md §12)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from difsims_core.kernels.polar.cells import count_cells
from difsims_core.kernels.polar.shares import add_hot_pixels, seen_cells
from difsims_core.kernels.spots.records import PixelsOfCells, SharesOfPixels
from difsims_core.randomness import Purpose


@dataclass(frozen=True, slots=True)
class SeenCells:
    """What beam stop and gap leave of the cells of n patterns.

    Attributes
    ----------
    hidden : (n, 4) float64
        Radius of the beam stop, width and offset of the gap, all pixels, and 1 for a gap along x.
    parts, pixels : (1 or n, n_radii, n_azimuths) float64
        Part of each cell that is left, and its effective pixels.
    """

    hidden: np.ndarray
    parts: np.ndarray
    pixels: np.ndarray

    @classmethod
    def of(cls, pixels: PixelsOfCells, size_px: int, effective: np.ndarray, hidden: np.ndarray) -> SeenCells:
        """Return what is left of cells of so many effective pixels; where no pattern hides anything, of all at once."""
        if not hidden[:, :2].any():
            return cls(hidden, np.sign(effective)[None], effective[None])
        parts, left = np.empty((2, len(hidden), effective.size))
        seen_cells(pixels, size_px, hidden, parts, left)
        return cls(hidden, *(values.reshape(len(hidden), *effective.shape) for values in (parts, left)))


def apply_cell_noise(
    polar: np.ndarray,
    shares: SharesOfPixels,
    seen: SeenCells,
    unit: np.ndarray,
    noise: Mapping[str, np.ndarray],
    address: tuple[int, np.ndarray],
    maxima: np.ndarray | None = None,
) -> None:
    """Replace noise-free polar patterns by what a counting detector reads, in place.

    A cell counts Poisson(dose · n · I / P) electrons, n its effective pixels, so that it varies as a measured one does,
    whose pixels are split. Each pixel of the frame is hot with the probability (1 − snr)/2 and then reads
    ``intensity_spike`` · P, shared among its cells as it is.

    Parameters
    ----------
    polar
        (n, n_radii, n_azimuths) float32, mean intensity per pixel of each cell.
    shares, seen
        What each pixel gives to the cells, and what is left of them; one without pixels reads 0.
    unit, noise, maxima
        As ``apply_polar_noise``.
    address
        Seed and (n,) global pattern indices.
    """
    n_radii, size_px = polar.shape[1], math.isqrt(len(shares.start) - 1)
    dose, spike = (np.asarray(noise[name], np.float64) for name in ("dose", "intensity_spike"))
    hot, unit = (1 - np.asarray(noise["snr"], np.float64)) / 2, np.asarray(unit, np.float64)
    old = np.zeros(len(polar)) if maxima is None else maxima
    rows = (np.arange(n_radii), (n_radii,))
    none = np.zeros(n_radii, np.int64), np.zeros(len(polar))  # hot pixels follow, one by one
    count_cells(
        polar, seen.pixels, none[0], unit, dose, none[1], spike, *address, int(Purpose.COUNTING_CELLS), *rows, 0, old
    )
    hot = np.where((old > 0) & (spike == 0), 0.0, hot)  # the legacy platform had no hot pixels without a spike
    add_hot_pixels(
        polar.reshape(len(polar), -1), shares, size_px, seen.parts.reshape(len(seen.parts), -1), hot, spike * unit,
        seen.hidden, *address, int(Purpose.HOT_PIXELS_CELLS),
    )  # fmt: skip
