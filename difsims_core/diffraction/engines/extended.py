"""An engine whose spots imperfections of other packages change, before a detector shows them.

Spots are listed for it, so that it is slower than an engine whose kernels compute them on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.engines.around import EngineAround
from difsims_core.diffraction.grains import Grains
from difsims_core.diffraction.imperfections.extensions import Extensions
from difsims_core.diffraction.sources import Spots, SpotSource
from difsims_core.kernels.spots.records import Frame


@dataclass(frozen=True, eq=False)
class ExtendedEngine(EngineAround):
    """Another engine, with the imperfections that follow on its spots.

    Attributes
    ----------
    extensions : Extensions
        Those of the document.
    """

    name: ClassVar[str] = "extended"
    version: ClassVar[str] = "1"

    extensions: Extensions

    def spots(self, crystals: Grains, frame: Frame) -> Spots:
        """Compute the spots as the other engine gives them; what is drawn for them changes them in `sources_of`."""
        return self.inner.spots(crystals, frame)

    def sources_of(self, draws: Draws, labels: np.ndarray, seed: int, frame: Frame) -> Iterator[SpotSource]:
        """Yield the spots as the imperfections leave them."""
        for item in self.grains(draws, labels, seed):
            for part in self.parts(item):
                spots = self.extensions.change_spots(self.spots(part, frame), part, draws)
                yield SpotSource.of_spots(part, spots)
