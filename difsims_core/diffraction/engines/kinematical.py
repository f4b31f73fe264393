"""The kinematical engine: |F|² times a shape factor of the excitation error, single scattering (docs/physics.md §§3–4).

Its spots are computed by the kernels on the way to profiles, polar patterns and images, without a list of them.

References
----------
P. B. Hirsch et al., Electron Microscopy of Thin Crystals (1965), ch. 4.
M. Blackman, Proc. R. Soc. Lond. A 173 (1939) 68: two-beam intensities.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from difsims_core.config.imperfections import TwoBeamSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.phases import Crystal
from difsims_core.crystal.rows import ReflectionRows, reflection_rows
from difsims_core.diffraction.engines.base import Engine
from difsims_core.diffraction.engines.versions import OWN_VERSIONS
from difsims_core.diffraction.geometry import Geometry
from difsims_core.diffraction.grains import Grains
from difsims_core.diffraction.imperfections.two_beam import blackman_table, extinction
from difsims_core.diffraction.sources import Spots, SpotSource
from difsims_core.kernels.spots import ewald
from difsims_core.kernels.spots.excited import count_excited, list_excited
from difsims_core.kernels.spots.records import Beam, Frame, GivenSpots, spot_buffer

SHAPE_FACTORS = {
    "lorentzian": ewald.LORENTZIAN,
    "linear": ewald.LINEAR,
    "sinc": ewald.SINC,
    "sin2c": ewald.SIN2C,
    "atanc": ewald.ATANC,
    "binary": ewald.BINARY,
    "slab": ewald.SLAB,
}


@dataclass(frozen=True, eq=False)
class KinematicalEngine(Engine):
    """Reflections near the Ewald sphere, each on its own.

    Attributes
    ----------
    geometry : Geometry
        Beam, detector and annuli.
    beam : Beam
        1/λ, largest excitation error, shape factor.
    rows : tuple of ReflectionRows
        Reflections of each phase.
    two_beam_energy_kv : float or None
        Accelerating voltage where intensities are those of Blackman's theory.
    """

    name: ClassVar[str] = "kinematical"
    version: ClassVar[str] = OWN_VERSIONS["kinematical"]

    geometry: Geometry
    beam: Beam
    rows: tuple[ReflectionRows, ...]
    two_beam_energy_kv: float | None = None

    @classmethod
    def prepare(
        cls, spec: SimulationSpec, crystals: Sequence[Crystal], geometry: Geometry, q_max_per_angstrom: float
    ) -> Self:
        """List the reflections of each phase as rows, |F|² as a polynomial in the lattice scale."""
        wanted = spec.diffraction
        rows = tuple(
            reflection_rows(
                crystal,
                q_max_per_angstrom,
                wanted.scattering_factors,
                wanted.debye_waller,
                spec.lattice_scale_of(label).support(),
            )
            for label, crystal in enumerate(crystals)
        )
        beam = Beam(geometry.k, wanted.max_excitation_error_per_angstrom, SHAPE_FACTORS[wanted.shape_factor])
        two_beam = isinstance(spec.intensities, TwoBeamSpec)
        return cls(geometry, beam, rows, spec.microscope.beam_energy_kv if two_beam else None)

    @property
    def phases(self) -> Sequence[ReflectionRows]:
        """Reflections of each phase."""
        return self.rows

    def most_spots(self, label: int) -> int:
        """Return the number of reflections that are not extinct."""
        return int(np.count_nonzero(self.rows[label].lattice.intensity[:, 0]))

    def spots(self, crystals: Grains, frame: Frame) -> Spots:
        """List the excited reflections."""
        lattice = self.rows[crystals.label].lattice
        crystals = self._with_extinction(crystals)
        known = crystals.conditions._replace(weight=np.ones(len(crystals.which)))
        buffer = spot_buffer(len(lattice.h), len(lattice.intensity))
        common = (known, lattice, self.beam, frame, *crystals.random[2:], buffer)
        counts = np.zeros(len(crystals.which), np.int64)
        count_excited(*common, counts)
        start, sizes = np.concatenate([[0], np.cumsum(counts)]), counts * np.where(known.disc > 0, known.points, 0)
        n = start[-1]
        found = GivenSpots(
            start, np.empty(n), np.empty(n), np.empty(n, np.int64), np.empty(n), np.empty(n), np.empty(sizes.sum()),
            np.cumsum(sizes) - sizes,
        )  # fmt: skip
        list_excited(*common, found)
        g = np.stack([found.x, found.y], axis=1)
        return Spots(start, found.reflection, g, found.intensity, found.s, found.disc)

    def sources(self, crystals: Grains, frame: Frame) -> Iterator[SpotSource]:  # noqa: ARG002 - kernels take the frame
        """Yield the lattice, from which kernels compute the spots that ``spots`` would list."""
        yield SpotSource(self._with_extinction(crystals), self.rows[crystals.label].lattice, self.beam)

    def _with_extinction(self, crystals: Grains) -> Grains:
        """Return the grains with A / |F| of Blackman's formula and its table, where the document asks for it."""
        if self.two_beam_energy_kv is None:
            return crystals
        known, (seed, purpose, _, per_unit) = crystals.conditions, crystals.random
        cell = self.rows[crystals.label].cell_volume * known.lattice_scale**3
        known = known._replace(extinction=extinction(known.thickness, cell, self.two_beam_energy_kv))
        return replace(crystals, conditions=known, random=(seed, purpose, blackman_table(), per_unit))
