"""An engine that takes its spots from libraries of beam directions, which another engine has computed once.

In a profile or a polar pattern the turn about the beam is free, so that two angles are left of an orientation, and of
these the sector of the point group. What a pattern shows is what the other engine computes for the nearest member of
the library, at its own turn and lattice scale; where the beam converges, its discs are evenly filled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import ClassVar
from weakref import WeakValueDictionary

import numpy as np

from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.phases import Crystal
from difsims_core.diffraction.engines.around import EngineAround
from difsims_core.diffraction.engines.base import Engine
from difsims_core.diffraction.engines.versions import LIBRARY_VERSION
from difsims_core.diffraction.grains import Grains
from difsims_core.diffraction.library.directions import BeamDirections
from difsims_core.diffraction.library.recipe import DirectionLibrary, LibraryRecipe, LibrarySource
from difsims_core.diffraction.sources import Spots
from difsims_core.kernels.library import take_members
from difsims_core.kernels.spots.records import Frame, GivenSpots

_FAR = 1.1
"""Of the distance that a pattern can show: no ellipse stretches it further, and spots beyond are dropped."""
_of_this_process: WeakValueDictionary[str, DirectionLibrary] = WeakValueDictionary()
"""Libraries by fingerprint, as long as any engine holds them."""


@dataclass(frozen=True, eq=False)
class LibraryEngine(EngineAround):
    """Another engine's spots, from libraries.

    Attributes
    ----------
    recipes : tuple of LibraryRecipe
        Of the library of each phase.
    source : callable
        Finds or computes a library when the first crystal of its phase comes; it is kept from then on.
    """

    name: ClassVar[str] = "library"
    version: ClassVar[str] = LIBRARY_VERSION

    recipes: tuple[LibraryRecipe, ...]
    source: LibrarySource
    _found: dict[int, DirectionLibrary] = field(default_factory=dict, init=False, repr=False)
    _finding: Lock = field(default_factory=Lock, init=False, repr=False)

    @classmethod
    def around(
        cls,
        engine: Engine,
        spec: SimulationSpec,
        crystals: Sequence[Crystal],
        source: LibrarySource,
    ) -> LibraryEngine:
        """Return the engine around one that is prepared for the same document and crystals.

        Raises
        ------
        InputError
            If the resolution makes too many directions.
        """
        recipes = [LibraryRecipe.of(engine, spec, label, crystal) for label, crystal in enumerate(crystals)]
        return cls(engine, tuple(recipes), source)

    @property
    def directions(self) -> tuple[BeamDirections, ...]:
        """Beam directions of the library of each phase."""
        return tuple(recipe.directions for recipe in self.recipes)

    def library(self, label: int, source: LibrarySource | None = None) -> DirectionLibrary:
        """Return the library of a phase, found by ``source`` where it is not there yet (default: the engine's own)."""
        with self._finding:
            if label not in self._found:
                recipe = self.recipes[label]
                found = _of_this_process.get(recipe.fingerprint)
                if found is None:
                    found = _of_this_process[recipe.fingerprint] = (source or self.source)(recipe)
                self._found[label] = found
            return self._found[label]

    def spots(self, crystals: Grains, frame: Frame) -> Spots:
        """Take the spots of the nearest member and thickness."""
        recipe, library, known = self.recipes[crystals.label], self.library(crystals.label), crystals.conditions
        which, member = library.directions.located(known.orientation)
        n, held = len(member), library.held
        most = int(np.sum(held.start[member + 1] - held.start[member]))
        place, intensity, error = np.empty((2, most)), np.empty(most), np.empty(most)
        found = GivenSpots(
            np.empty(n + 1, np.int64), place[0], place[1], np.empty(most, np.int64), intensity, error, np.empty(0),
            np.empty(0, np.int64),
        )  # fmt: skip
        reach = (frame.reach + np.abs(known.distortion[:, 3:]).sum(axis=1)) * known.per_px * _FAR
        take_members(
            held, library.equivalent, member, which, library.level(known.thickness), known.orientation,
            known.lattice_scale, reach, self.phases[crystals.label].hkl, recipe.crystal.structure.cell.reciprocal,
            self.geometry.k, found,
        )  # fmt: skip
        m = found.start[-1]
        points = np.where(known.disc > 0, known.points, 0)
        disc = np.ones(int(np.sum(np.diff(found.start) * points)))
        return Spots(found.start, found.reflection[:m], place[:, :m].T, intensity[:m], error[:m], disc)
