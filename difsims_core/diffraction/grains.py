"""The grains of a run of patterns, phase by phase: what an engine is asked about (docs/physics.md §§4–5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.geometry import Geometry, conditions
from difsims_core.diffraction.imperfections.overlap import second_weight
from difsims_core.diffraction.imperfections.random_intensities import scatter_purpose
from difsims_core.diffraction.imperfections.two_beam import KINEMATICAL, PER_UNIT
from difsims_core.kernels.spots.records import Conditions
from difsims_core.randomness import Purpose


@dataclass(frozen=True, slots=True)
class Grains:
    """Patterns whose first grain, or whose second, is of one phase.

    Attributes
    ----------
    label : int
        Which phase.
    which : (m,) int64
        Positions of the patterns in their run.
    conditions : Conditions
        Of these grains: orientation, lattice scale, thickness, convergence and more, one entry a pattern.
    random : tuple
        Seed and purpose of random intensities, and the table of two-beam intensities with its nodes for a unit of A.
    """

    label: int
    which: np.ndarray
    conditions: Conditions
    random: tuple[Any, ...]

    def part(self, chosen: slice | np.ndarray) -> Grains:
        """Return some of them."""
        known = Conditions(*(values[chosen] for values in self.conditions))
        return Grains(self.label, self.which[chosen], known, self.random)


def grains(
    geometry: Geometry, cell_volumes: Sequence[float], draws: Draws, labels: np.ndarray, seed: int
) -> Iterator[Grains]:
    """Yield the grains of a run of patterns; a label beyond the phases, the background, has none.

    ``cell_volumes`` are those of the phases, unscaled, Å³.
    """
    volume = np.ones(len(labels))
    for label, cell in enumerate(cell_volumes):
        which = np.flatnonzero(labels == label)
        volume[which] = cell * draws.of("lattice_scale", which) ** 3
        yield Grains(label, *_sorted(geometry, draws, which), _random(seed, scatter_purpose(second=False)))
    if "second_fraction" not in draws:
        return
    for label, cell in enumerate(cell_volumes):
        which = np.flatnonzero((draws["second_phase"] == label) & (draws["second_fraction"] > 0))
        which, second = _sorted(geometry, draws, which, second=True)
        own = cell * second.lattice_scale**3
        second = second._replace(weight=second_weight(second.weight, volume[which], own))
        yield Grains(label, which, second, _random(seed, scatter_purpose(second=True)))


def _sorted(
    geometry: Geometry, draws: Draws, which: np.ndarray, *, second: bool = False
) -> tuple[np.ndarray, Conditions]:
    """Return patterns in the order of σ, so that a spread operator stays in the cache, and their conditions."""
    which = which[np.argsort(draws["sigma_px"][which], kind="stable")]
    return which, conditions(geometry, draws, which, second)


def _random(seed: int, purpose: Purpose) -> tuple[Any, ...]:
    return seed, int(purpose), KINEMATICAL, PER_UNIT
