"""An engine whose spots imperfections of other packages change, before a detector shows them.

Spots are listed for it, so that it is slower than an engine whose kernels compute them on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.phases import Crystal
from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.engines.base import Engine, PhaseTables
from difsims_core.diffraction.geometry import Geometry
from difsims_core.diffraction.grains import Grains
from difsims_core.diffraction.imperfections.extensions import Extensions
from difsims_core.diffraction.sources import Spots, SpotSource
from difsims_core.families import ENGINES
from difsims_core.kernels.spots.records import Frame


@dataclass(frozen=True, eq=False)
class ExtendedEngine(Engine):
    """Another engine, with the imperfections that follow on its spots.

    Attributes
    ----------
    geometry : Geometry
        Of the other engine.
    inner : Engine
        Which computes the spots.
    extensions : Extensions
        Those of the document.
    """

    name: ClassVar[str] = "extended"
    version: ClassVar[str] = "1"

    geometry: Geometry
    inner: Engine
    extensions: Extensions

    @classmethod
    def prepare(
        cls, spec: SimulationSpec, crystals: Sequence[Crystal], geometry: Geometry, q_max_per_angstrom: float
    ) -> Self:
        """Prepare the engine and find the imperfections that the document names."""
        inner = ENGINES[spec.engine].prepare(spec, crystals, geometry, q_max_per_angstrom)
        return cls(geometry, inner, Extensions.of(spec))

    @property
    def phases(self) -> Sequence[PhaseTables]:
        """Those of the other engine."""
        return self.inner.phases

    def most_spots(self, label: int) -> int:
        """Return that of the other engine: no spots are added."""
        return self.inner.most_spots(label)

    def spots(self, crystals: Grains, frame: Frame) -> Spots:
        """Compute the spots as the other engine gives them; what is drawn for them changes them in `sources_of`."""
        return self.inner.spots(crystals, frame)

    def sources_of(self, draws: Draws, labels: np.ndarray, seed: int, frame: Frame) -> Iterator[SpotSource]:
        """Yield the spots as the imperfections leave them."""
        for item in self.grains(draws, labels, seed):
            for part in self.parts(item):
                spots = self.extensions.change_spots(self.spots(part, frame), part, draws)
                yield SpotSource.of_spots(part, spots)
