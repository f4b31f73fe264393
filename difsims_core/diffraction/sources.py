"""Where the spots of grains come from, and what is drawn of them (docs/physics.md §§4–6).

Kernels that make profiles, polar patterns, images and lists take spots from either of two sources: they compute
kinematical ones on the way, from a lattice of |F|², or they take those that an engine has computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from difsims_core.diffraction.grains import Grains
from difsims_core.diffraction.imperfections.convergence import peak_density
from difsims_core.errors import InputError
from difsims_core.kernels.spots.peaks import most_spots_of
from difsims_core.kernels.spots.records import Beam, Frame, GivenSpots, Lattice, SpotBuffer, spot_buffer


@dataclass(frozen=True, slots=True)
class Spots:
    """What leaves ``m`` crystals, stored end to end: diffracted beams, before the detector.

    Attributes
    ----------
    start : (m + 1,) int64
        Spots of crystal ``i`` are ``start[i]:start[i + 1]``.
    reflection : (n,) int64
        Number of the reflection in the list of its phase. It addresses random numbers of the spot, so that it must not
        depend on which others are excited.
    g : (n, 2) float64
        In-plane scattering vectors in the laboratory, of the scaled lattice, Å⁻¹ (docs/physics.md §1).
    intensity : (n,) float64
        Of a crystal that fills the beam, in one unit for all phases; the mean over the disc where the beam converges.
    excitation_error : (n,) float64
        Å⁻¹ (docs/physics.md §4).
    disc : (k,) float64
        Where the beam converges: the intensity of each of the ``Conditions.points`` directions of the beam over
        ``intensity``, spot by spot. Directions are those of ``point_of_disc``; without convergence there is nothing.
    """

    start: np.ndarray
    reflection: np.ndarray
    g: np.ndarray
    intensity: np.ndarray
    excitation_error: np.ndarray
    disc: np.ndarray

    @property
    def crystal(self) -> np.ndarray:
        """(n,) int64 which crystal each spot is of."""
        return np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))


@dataclass(frozen=True, slots=True)
class SpotSource:
    """Grains, and either the lattice from which kernels compute their spots or the spots themselves."""

    grains: Grains
    lattice: Lattice | None = None
    beam: Beam | None = None
    given: GivenSpots | None = None

    @classmethod
    def of_spots(cls, grains: Grains, spots: Spots) -> SpotSource:
        """Return the source of spots that an engine has computed.

        Raises
        ------
        InputError
            If the spots are not those of so many grains.
        """
        counts = np.diff(spots.start)
        points = np.where(grains.conditions.disc > 0, grains.conditions.points, 0)
        sizes = counts * points if len(counts) == len(points) else counts
        n = len(spots.reflection)
        lengths = {len(spots.g), len(spots.intensity), len(spots.excitation_error), int(spots.start[-1]), n}
        if len(counts) != len(points) or len(lengths) > 1 or len(spots.disc) != sizes.sum():
            raise InputError(
                f"expected the spots of {len(points)} crystals end to end and {int(sizes.sum())} points of discs, "
                f"found {len(counts)} runs up to {int(spots.start[-1])}, {n} reflections, {len(spots.g)} vectors, "
                f"{len(spots.intensity)} intensities, {len(spots.disc)} points; the engine must be corrected"
            )
        x, y = np.asarray(spots.g, np.float64).T.copy()
        return cls(
            grains,
            given=GivenSpots(
                np.asarray(spots.start, np.int64),
                x,
                y,
                np.asarray(spots.reflection, np.int64),
                np.ascontiguousarray(spots.intensity, np.float64),
                np.ascontiguousarray(spots.excitation_error, np.float64),
                np.ascontiguousarray(spots.disc, np.float64),
                np.cumsum(sizes) - sizes,
            ),
        )

    def arguments(self, frame: Frame) -> tuple[Any, ...]:
        """Return what all kernels begin with: conditions, source, frame, random numbers."""
        return self.grains.conditions, self.lattice, self.beam, self.given, frame, self.grains.random

    def buffer(self, n_points: int = 0) -> SpotBuffer:
        """Return room for the spots of any of the patterns, and for points of discs."""
        if self.lattice is not None:
            return spot_buffer(len(self.lattice.h), len(self.lattice.intensity), n_points)
        assert self.given is not None  # noqa: S101 - narrows the type; a source is one of the two
        return spot_buffer(0, int(np.diff(self.given.start).max(initial=0)), n_points)


def render(
    sources: Iterator[SpotSource], n: int, frame: Frame, draw: Callable[[SpotSource, tuple[Any, ...]], np.ndarray]
) -> np.ndarray:
    """Draw the spots of all sources and return the unit of intensity P of each of the ``n`` patterns.

    See docs/physics.md §6.

    ``draw`` takes a source and the arguments that all kernels have in common, and returns the intensity of the
    brightest spot of each pattern. P is that intensity in the pixel at the spot's centre: I / 2πσ², or a disc's
    I (1 − exp(−R²/2σ²)) / πR²; 1 for a pattern without spots.
    """
    unit = np.zeros(n)
    for source in sources:
        known, common, spots = source.grains.conditions, source.arguments(frame), source.buffer()
        points = int(known.points.max())
        if points > 1:  # a phase has far more reflections than a pattern shows
            spots = source.buffer((most_spots_of(*common, spots) + 1) * points)
        brightest = draw(source, (*common, spots))
        peak = peak_density(known.disc / known.per_px, known.sigma)
        which = source.grains.which
        unit[which] = np.maximum(unit[which], brightest * peak)
    return np.where(unit > 0, unit, 1.0)
