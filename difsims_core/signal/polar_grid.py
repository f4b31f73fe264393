"""The reduced polar grid: which annuli and sectors make a cell of a polar pattern (docs/physics.md §12)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from difsims_core.errors import InputError
from difsims_core.signal.grid import REFERENCE_GRID, RadialGrid


@dataclass(frozen=True, slots=True)
class CellRange:
    """Annuli and sectors: the cells of an operator.

    Attributes
    ----------
    step_per_angstrom
        Width of an annulus, Å⁻¹; annulus i is |q − i · step| ≤ step/2.
    first, stop
        The annuli first … stop − 1.
    n_azimuths
        Sectors of the full circle; sector j begins at j · 360°/n, counted from +x (columns) towards +y (rows).
    """

    step_per_angstrom: float
    first: int
    stop: int
    n_azimuths: int

    def __post_init__(self) -> None:
        if not (0 <= self.first < self.stop and self.n_azimuths >= 1 and self.step_per_angstrom > 0):
            raise InputError(f"expected annuli 0 ≤ first < stop and one sector or more, found {self}")

    @property
    def n_annuli(self) -> int:
        """Number of annuli."""
        return self.stop - self.first


@dataclass(frozen=True, slots=True)
class PolarGrid:
    """Cells of several neighbouring annuli of a radial grid, and of equal sectors.

    Attributes
    ----------
    grid
        Whose annuli are merged.
    first_annulus
        The first one.
    n_radii, annuli_per_radius
        Number of radii, and how many annuli make one.
    n_azimuths
        Sectors of the full circle; sector j begins at j · 360°/n, counted from +x (columns) towards +y (rows).
    """

    grid: RadialGrid = REFERENCE_GRID
    first_annulus: int = 13
    n_radii: int = 74
    annuli_per_radius: int = 2
    n_azimuths: int = 72

    def __post_init__(self) -> None:
        if self.stop_annulus > self.grid.n_bins or min(self.n_radii, self.annuli_per_radius, self.n_azimuths) < 1:
            raise InputError(
                f"expected a polar grid within the {self.grid.n_bins} annuli of its radial grid, found {self}"
            )

    @classmethod
    def over_crop(cls, annuli_per_radius: int = 2, n_azimuths: int = 72) -> PolarGrid:
        """Return the grid that covers the pixel crop of the reference grid, the classifier's input."""
        first, stop = REFERENCE_GRID.crop_bins
        return cls(REFERENCE_GRID, first, -(-(stop - first) // annuli_per_radius), annuli_per_radius, n_azimuths)

    @property
    def stop_annulus(self) -> int:
        """The annulus after the last one."""
        return self.first_annulus + self.n_radii * self.annuli_per_radius

    @property
    def q(self) -> np.ndarray:
        """(n_radii,) float64: centres of the radii, Å⁻¹."""
        first = self.first_annulus + (self.annuli_per_radius - 1) / 2
        return (first + self.annuli_per_radius * np.arange(self.n_radii)) * self.grid.step_per_angstrom

    @property
    def azimuth_deg(self) -> np.ndarray:
        """(n_azimuths,) float64: centres of the sectors, degrees."""
        return (np.arange(self.n_azimuths) + 0.5) * 360.0 / self.n_azimuths

    def mean_of_annuli(self, values: np.ndarray) -> np.ndarray:
        """Return (n, n_radii) float64: the means over each radius of (n, n_bins) means over its annuli, by area."""
        annuli = np.arange(self.first_annulus, self.stop_annulus)
        area = (annuli + 0.5) ** 2 - np.maximum(annuli - 0.5, 0) ** 2
        shape = (self.n_radii, self.annuli_per_radius)
        summed = (values[:, annuli] * area).reshape(-1, *shape).sum(axis=-1)
        return summed / area.reshape(shape).sum(axis=-1)

    @property
    def cells(self) -> CellRange:
        """The annuli and sectors that are integrated before annuli are merged."""
        return CellRange(self.grid.step_per_angstrom, self.first_annulus, self.stop_annulus, self.n_azimuths)
