"""What engines have in common that take their spots from another one, and are made for it once it is prepared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.phases import Crystal
from difsims_core.diffraction.engines.base import Engine, PhaseTables
from difsims_core.diffraction.geometry import Geometry


@dataclass(frozen=True, eq=False)
class EngineAround(Engine):
    """An engine around another one.

    Attributes
    ----------
    inner : Engine
        Which computes the spots.
    """

    inner: Engine

    @classmethod
    def prepare(
        cls,
        spec: SimulationSpec,  # noqa: ARG003 - as the family has it
        crystals: Sequence[Crystal],  # noqa: ARG003
        geometry: Geometry,  # noqa: ARG003
        q_max_per_angstrom: float,  # noqa: ARG003
    ) -> NoReturn:
        """Refuse: documents do not name such an engine."""
        raise TypeError(f"{cls.__name__} is made around an engine that is prepared")

    @property
    def geometry(self) -> Geometry:  # pyright: ignore[reportIncompatibleVariableOverride] - it is only read
        """That of the other engine."""
        return self.inner.geometry

    @property
    def phases(self) -> Sequence[PhaseTables]:
        """Those of the other engine."""
        return self.inner.phases

    def most_spots(self, label: int) -> int:
        """Return that of the other engine: no spots are added."""
        return self.inner.most_spots(label)
