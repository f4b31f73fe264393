"""An engine for one run of patterns, whose spots are computed once for all that is drawn of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.engines.around import EngineAround
from difsims_core.diffraction.grains import Grains
from difsims_core.diffraction.sources import Spots, SpotSource
from difsims_core.kernels.spots.records import Frame


@dataclass(frozen=True, eq=False)
class EngineOfRun(EngineAround):
    """Another engine that is asked for profiles, polar patterns and lists of spots of the same patterns.

    Attributes
    ----------
    draws : Draws
        Of the patterns. For others, such as those without their beam stop, the other engine is asked each time; so it
        is where the beam converges, whose discs would fill the memory.
    """

    name: ClassVar[str] = "one run"
    version: ClassVar[str] = "1"

    draws: Draws
    _sources: dict[Frame, list[SpotSource]] = field(default_factory=dict, init=False, repr=False)

    def spots(self, crystals: Grains, frame: Frame) -> Spots:
        """Compute the spots as the other engine gives them."""
        return self.inner.spots(crystals, frame)

    def sources_of(self, draws: Draws, labels: np.ndarray, seed: int, frame: Frame) -> Iterator[SpotSource]:
        """Yield the spots of the run, computed when they are first asked for on this detector."""
        if draws is not self.draws or "convergence_mrad" in draws:
            return self.inner.sources_of(draws, labels, seed, frame)
        if frame not in self._sources:
            self._sources[frame] = list(self.inner.sources_of(draws, labels, seed, frame))
        return iter(self._sources[frame])
