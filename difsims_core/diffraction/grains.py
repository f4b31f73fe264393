"""The grains of a run of patterns, phase by phase: what profiles, cakes and images are drawn from (PHYSICS §§4–5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from difsims_core.augment.overlap import second_weight
from difsims_core.crystal.rows import ReflectionRows
from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.geometry import Geometry, conditions
from difsims_core.diffraction.imperfections.convergence import peak_density
from difsims_core.diffraction.imperfections.random_intensities import scatter_purpose
from difsims_core.diffraction.imperfections.two_beam import PER_UNIT, blackman_table
from difsims_core.kernels.spots.peaks import most_spots_of
from difsims_core.kernels.spots.records import Conditions, Frame, room_for_spots
from difsims_core.randomness import Purpose


@dataclass(frozen=True, slots=True)
class Grains:
    """Patterns whose first grain, or whose second, is of one phase.

    Attributes
    ----------
    rows : ReflectionRows
        The phase.
    which : (m,) int64
        Positions of the patterns in their run.
    conditions : Conditions
        Of these grains.
    random : tuple
        Seed and purpose of random intensities, and Blackman's table.
    """

    rows: ReflectionRows
    which: np.ndarray
    conditions: Conditions
    random: tuple[Any, ...]


def grains(
    geometry: Geometry, phases: Sequence[ReflectionRows], draws: Draws, labels: np.ndarray, seed: int
) -> Iterator[Grains]:
    """Yield the grains of a run of patterns; a label beyond the phases, the background, has none."""
    volume = np.ones(len(labels))
    for label, rows in enumerate(phases):
        which = np.flatnonzero(labels == label)
        volume[which] = rows.cell_volume * draws.of("lattice_scale", which) ** 3
        yield Grains(rows, *_sorted(geometry, rows, draws, which), _random(seed, scatter_purpose(second=False)))
    if "second_fraction" not in draws:
        return
    for label, rows in enumerate(phases):
        which = np.flatnonzero((draws["second_phase"] == label) & (draws["second_fraction"] > 0))
        which, second = _sorted(geometry, rows, draws, which, second=True)
        own = rows.cell_volume * second.lattice_scale**3
        second = second._replace(weight=second_weight(second.weight, volume[which], own))
        yield Grains(rows, which, second, _random(seed, scatter_purpose(second=True)))


def render(
    geometry: Geometry,
    grains_of_run: Iterator[Grains],
    n: int,
    frame: Frame,
    draw: Callable[[Grains, tuple[Any, ...]], np.ndarray],
) -> np.ndarray:
    """Draw all grains and return the unit of intensity P of each of the ``n`` patterns (PHYSICS §6).

    ``draw`` takes grains and the arguments that all kernels have in common, and returns the intensity of the brightest
    spot of each pattern. P is that intensity in the pixel at the spot's centre: I / 2πσ², or a disc's
    I (1 − exp(−R²/2σ²)) / πR²; 1 for a pattern without spots.
    """
    unit = np.zeros(n)
    for item in grains_of_run:
        if len(item.which) == 0:
            continue
        lattice, known = item.rows.lattice, item.conditions
        spots = room_for_spots(lattice)
        points = int(known.points.max())
        if points > 1:  # a phase has far more reflections than a pattern shows
            shown = most_spots_of(known, lattice, geometry.beam, frame, item.random, spots)
            spots = room_for_spots(lattice, (shown + 1) * points)
        brightest = draw(item, (known, lattice, geometry.beam, frame, item.random, spots))
        peak = peak_density(known.disc / known.per_px, known.sigma)
        unit[item.which] = np.maximum(unit[item.which], brightest * peak)
    return np.where(unit > 0, unit, 1.0)


def _sorted(
    geometry: Geometry, rows: ReflectionRows, draws: Draws, which: np.ndarray, *, second: bool = False
) -> tuple[np.ndarray, Conditions]:
    """Return patterns in the order of σ, so that a spread operator stays in the cache, and their conditions."""
    which = which[np.argsort(draws["sigma_px"][which], kind="stable")]
    return which, conditions(geometry, rows, draws, which, second)


def _random(seed: int, purpose: Purpose) -> tuple[Any, ...]:
    return seed, int(purpose), blackman_table(), PER_UNIT
