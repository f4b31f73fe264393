"""Frames to profiles and polar patterns, each around its own beam (docs/physics.md §17)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from difsims_core.errors import ExperimentError
from difsims_core.experiment.correct.geometry import Geometry
from difsims_core.kernels.scan.integrate import add_up_cells, merge_annuli, merge_azimuths, pad_frame
from difsims_core.signal.cell_operator import CellOperator, cell_operator, reach_px
from difsims_core.signal.cell_pixels import effective_pixels, pixels_of_cells
from difsims_core.signal.polar_grid import CellRange, PolarGrid

PLACES = 10
"""Of the beam along each edge of a pixel, its middle among them: it is at most 1/20 px from one of them."""

_KEPT_AREAS = 128  # of 0.1 … 0.4 MB: beams of neighbouring patterns lie at some dozens of places


class _Beam(NamedTuple):
    """The place of a beam within a pixel, in tenths of it from its middle, and the row and column of that pixel."""

    down: int
    right: int
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class _Areas:
    """What pixels that count give to the cells around one place of the beam.

    Attributes
    ----------
    cells : (annuli, azimuths) float64
        px².
    covered, empty : (annuli,) float64
        As `Integrated` has them.
    """

    cells: np.ndarray
    covered: np.ndarray
    empty: np.ndarray


@dataclass(frozen=True, slots=True)
class Integrated:
    """Patterns of n frames.

    Attributes
    ----------
    profile : (n, annuli) float32
        Mean counts per pixel of each annulus; NaN where no pixel counts.
    polar : (n, radii, azimuths) float32
        Mean counts per pixel of each cell; NaN where no pixel counts. No radii when none are wanted.
    covered : (n, annuli) float32
        Share of each annulus that good pixels cover.
    empty : (n, annuli) float32
        Share of the sectors of each annulus that no good pixel reaches.
    """

    profile: np.ndarray
    polar: np.ndarray
    covered: np.ndarray
    empty: np.ndarray


class Integrator:
    """Integrates frames of one detector and geometry, one sparse operator for each of 10 × 10 places within a pixel.

    An operator is built when the first beam lies at its place, and kept; whole pixels move the frame under it.

    Parameters
    ----------
    good
        (rows, columns) bool: True for pixels that count; the others are left out of sums and areas.
    geometry
        Calibration and ellipse, undone by the operators.
    cells
        Annuli and sectors to integrate into.
    polar
        Grid of the polar patterns, of the same annuli and sectors; None: no polar patterns.
    """

    def __init__(self, good: np.ndarray, geometry: Geometry, cells: CellRange, polar: PolarGrid | None = None) -> None:
        self._good, self._geometry = np.ascontiguousarray(good), geometry
        self.cells, self._polar = cells, polar
        self._merged = polar.annuli_per_radius if polar else 1
        self._first = polar.first_annulus - cells.first if polar else 0
        self.n_radii = polar.n_radii if polar else 0
        step_px = cells.step_per_angstrom / geometry.calibration_per_angstrom
        numbers = np.arange(cells.first, cells.stop)
        inner, outer = np.maximum(numbers - 0.5, 0.0) * step_px, (numbers + 0.5) * step_px
        determinant = 1.0 - geometry.ellipticity**2
        self._whole = np.pi * (outer**2 - inner**2) * determinant  # px² of the detector
        self._reach = reach_px(cells, geometry.calibration_per_angstrom, geometry.undistort)
        self._operator = lru_cache(maxsize=PLACES**2)(self._build)
        self._areas = lru_cache(maxsize=_KEPT_AREAS)(self._areas_of_good)

    def integrate(self, frames: np.ndarray, centres: np.ndarray) -> Integrated:
        """Integrate (n, rows, columns) frames around their (n, 2) beams, row and column in pixels.

        Raises
        ------
        ExperimentError
            If a beam lies outside the frame.
        """
        n, n_annuli, n_azimuths = len(frames), self.cells.n_annuli, self.cells.n_azimuths
        profile = np.empty((n, n_annuli), np.float32)
        covered, empty = np.empty((2, n, n_annuli), np.float32)
        polar = np.empty((n, self.n_radii, n_azimuths), np.float32)
        sums = np.empty((n_annuli, n_azimuths))
        pixel, place = _whole_and_place(centres)
        if ((pixel < 0) | (pixel >= self._good.shape)).any():
            raise ExperimentError(
                f"a direct beam lies outside the frame of {self._good.shape} px (row, column {centres.min(axis=0)} to "
                f"{centres.max(axis=0)})",
                "give its place as beam.centre_px",
            )
        padded = self._padded(np.zeros_like(self._good))
        beams = [_Beam(*at) for at in np.column_stack([place, pixel]).tolist()]
        for i in sorted(range(n), key=beams.__getitem__):  # what an operator holds stays in the processor's cache
            beam = beams[i]
            if pad_frame(frames[i], self._good, self._reach, self._reach, padded):
                areas = self._areas(beam)
            else:
                areas = self._areas_of(self._padded(self._good & np.isfinite(frames[i])), beam)
            self._add_up(padded, beam, sums)
            merge_azimuths(sums, areas.cells, profile[i])
            merge_annuli(sums[self._first :], areas.cells[self._first :], self._merged, polar[i])
            covered[i], empty[i] = areas.covered, areas.empty
        return Integrated(profile, polar, covered, empty)

    def effective_pixels(self, centre: np.ndarray) -> np.ndarray:
        """Return (radii, azimuths) float64: (Σw)²/Σw² of each polar cell for one beam, the pixels it counts as."""
        if self._polar is None:
            return np.empty((0, self.cells.n_azimuths))
        (pixel,), (place,) = _whole_and_place(centre[None])
        operator, _ = self._operator(*map(int, place))
        shares = pixels_of_cells(operator, self.cells, self._polar, self._good, (int(pixel[0]), int(pixel[1])))
        return effective_pixels(shares).reshape(self.n_radii, self.cells.n_azimuths)

    def _padded(self, counts: np.ndarray) -> np.ndarray:
        """Return 1 for pixels that count, 0 for others and beyond the frame, float32."""
        return np.pad(counts.astype(np.float32), self._reach)

    def _add_up(self, padded: np.ndarray, beam: _Beam, sums: np.ndarray) -> None:
        """Write what the pixels of a padded frame give to the cells around a beam."""
        operator, index = self._operator(beam.down, beam.right)
        pixels = padded.ravel()[beam.row * padded.shape[1] + beam.column :]
        add_up_cells(pixels, operator.start, index, operator.weight, sums.ravel())

    def _areas_of(self, counted: np.ndarray, beam: _Beam) -> _Areas:
        cells = np.empty((self.cells.n_annuli, self.cells.n_azimuths))
        self._add_up(counted, beam, cells)
        return _Areas(cells, cells.sum(axis=1) / self._whole, (cells == 0).mean(axis=1))

    def _areas_of_good(self, beam: _Beam) -> _Areas:
        return self._areas_of(self._padded(self._good), beam)

    def _build(self, down: int, right: int) -> tuple[CellOperator, np.ndarray]:
        """Return the operator of a place of the beam, and its pixels from the first on that it reaches."""
        geometry, beam = self._geometry, (down / PLACES, right / PLACES)
        operator = cell_operator(self.cells, geometry.calibration_per_angstrom, geometry.undistort, beam)
        width = self._good.shape[1] + 2 * self._reach
        return operator, ((operator.offset + self._reach) @ np.array([width, 1])).astype(np.uint32)


def _whole_and_place(centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels in which beams lie, and their places from the middle of it, (n, 2) int64 each."""
    tenths = np.floor(centres * PLACES + 0.5).astype(np.int64)
    pixel = (tenths + PLACES // 2) // PLACES
    return pixel, tenths - pixel * PLACES
