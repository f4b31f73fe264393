"""The dynamical engine: Bloch waves, multiple scattering included (docs/physics.md §11).

References
----------
H. Bethe, Ann. Phys. 392 (1928) 55.
P. B. Hirsch et al., Electron Microscopy of Thin Crystals (1965), ch. 8–12.
J. C. H. Spence, J. M. Zuo, Electron Microdiffraction (1992), ch. 3.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Self

import numpy as np

from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.phases import Crystal
from difsims_core.crystal.structure import B_OF_U
from difsims_core.diffraction.engines.base import Engine
from difsims_core.diffraction.engines.bloch.directions import cone_directions, disc_rings, nearest_directions
from difsims_core.diffraction.engines.bloch.room import room_for
from difsims_core.diffraction.engines.bloch.tables import ACCURACIES, BlochTables
from difsims_core.diffraction.engines.versions import OWN_VERSIONS
from difsims_core.diffraction.geometry import Geometry
from difsims_core.diffraction.grains import Grains
from difsims_core.diffraction.sources import Spots
from difsims_core.diffraction.spread import REACH_SIGMA
from difsims_core.kernels.bloch.diffract import diffracted
from difsims_core.kernels.bloch.records import Crystals
from difsims_core.kernels.profile.pattern import stretch
from difsims_core.kernels.spots.records import Frame

_log = logging.getLogger(__name__)

FLOOR = 1e-7
"""Part of the incident beam below which a diffracted one is left out."""
_LEAST = 2e-6  # of all that is diffracted, likewise: hundreds of beams together hold a thousandth of it


@dataclass(frozen=True, eq=False)
class BlochEngine(Engine):
    """Beams that exchange intensity on their way through the crystal.

    Attributes
    ----------
    geometry : Geometry
        Beam, detector and annuli.
    tables : tuple of BlochTables
        Of each phase.
    shown_px : float
        Distance from the centre beyond which profiles and polar patterns of the document show nothing.
    """

    name: ClassVar[str] = "bloch"
    version: ClassVar[str] = OWN_VERSIONS["bloch"]

    geometry: Geometry
    tables: tuple[BlochTables, ...]
    shown_px: float

    @classmethod
    def prepare(
        cls, spec: SimulationSpec, crystals: Sequence[Crystal], geometry: Geometry, q_max_per_angstrom: float
    ) -> Self:
        """List the reflections of each phase and compute its potential."""
        tables = tuple(
            BlochTables.of(crystal, label, spec, q_max_per_angstrom, geometry.k)
            for label, crystal in enumerate(crystals)
        )
        return cls(geometry, tables, _shown_px(spec, geometry))

    @property
    def phases(self) -> Sequence[BlochTables]:
        """Tables of each phase."""
        return self.tables

    def most_spots(self, label: int) -> int:
        """Return the number of reflections."""
        return len(self.tables[label].hkl)

    def spots(self, crystals: Grains, frame: Frame) -> Spots:
        """Compute the diffracted beams; crystals that differ in thickness alone are computed at once."""
        tables, known = self.tables[crystals.label], crystals.conditions
        shift = np.abs(known.distortion[:, 3:]).max(axis=1, initial=0.0)
        reach = frame.reach if frame.square else min(frame.reach, self.shown_px)
        seen = (reach + 1.5 * shift) * stretch(*known.distortion[:, :3].T) * known.per_px
        rings = disc_rings(known.disc / self.geometry.k, seen, known.thickness)
        cone = cone_directions(known.angle, seen, known.thickness)
        rows = np.column_stack(
            [known.orientation, known.lattice_scale, known.displacement, seen, known.angle, known.disc, cone, rings]
        )
        different, one_of, run = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        order = np.argsort(run, kind="stable")
        sizes = np.bincount(run, minlength=len(different))
        wanted = Crystals(
            known.orientation[one_of],
            known.lattice_scale[one_of],
            B_OF_U * known.displacement[one_of] ** 2,
            np.concatenate([[0], np.cumsum(sizes)]),
            known.thickness[order],
            seen[one_of],
            known.angle[one_of],
            known.disc[one_of],
            cone[one_of],
            rings[one_of],
        )
        room = room_for(tables, int(sizes.max(initial=1)))
        *found, limited = diffracted(
            wanted, self.geometry.k, tables.lattice, tables.indices, tables.potential, tables.choice, FLOOR, room
        )
        if limited:
            _notice(
                f"{tables.name}: some directions have more strong beams than the {tables.choice.most_strong} that are "
                "propagated; those far from the sphere are computed to first order, which is less exact. The most that "
                f"intensities.beams propagates: {_most_strong()}"
            )
        return _spots_of(found, wanted, order, known.points)


def _shown_px(spec: SimulationSpec, geometry: Geometry) -> float:
    output, grid = spec.output, geometry.grid
    if output.x_all or output.polar_all or output.peaks or spec.postprocessing.q_crop is not None:
        return math.inf
    step = grid.step_per_angstrom / geometry.detector.calibration_per_angstrom
    return grid.crop.stop * step + REACH_SIGMA * float(geometry.sigma_px[-1]) + geometry.disc_px


def _most_strong() -> str:
    return ", ".join(f"{accuracy.most_strong} ({name})" for name, accuracy in ACCURACIES.items())


@lru_cache(maxsize=256)
def _notice(text: str) -> None:
    _log.warning("%s", text)  # once a process


def _spots_of(found: Sequence[np.ndarray], wanted: Crystals, order: np.ndarray, points: np.ndarray) -> Spots:
    """Return the spots of each crystal from those of all that were computed at once.

    Parameters
    ----------
    found
        What ``diffracted`` returns, the arrays.
    wanted
        What it was asked for; crystal ``order[i]`` has the thickness ``wanted.thickness[i]``.
    points
        (m,) points that stand for the disc of each crystal.
    """
    start, reflection, g, error, first, intensity = found
    m = len(order)
    parts: list[tuple[np.ndarray, np.ndarray]] = [(np.empty(0, np.int64), np.empty(0))] * m
    discs = [np.empty(0)] * m
    for run in range(len(wanted.b)):
        crystals = order[wanted.start[run] : wanted.start[run + 1]]
        beams = np.arange(start[run], start[run + 1])
        if len(beams) == 0:
            continue
        values = intensity[first[run] : first[run + 1]].astype(np.float64).reshape(len(crystals), -1, len(beams))
        means = values.mean(axis=1)
        for which, crystal in enumerate(crystals):
            kept = means[which] > max(FLOOR, _LEAST * means[which].sum())
            parts[crystal] = beams[kept], means[which, kept]
            if wanted.disc[run] > 0:
                nearest = nearest_directions(int(wanted.rings[run]), int(points[crystal]))
                discs[crystal] = (values[which][nearest][:, kept] / means[which, kept]).T.ravel()
    chosen, sizes = np.concatenate([beams for beams, _ in parts]), [len(beams) for beams, _ in parts]
    return Spots(
        np.concatenate([[0], np.cumsum(sizes)]),
        reflection[chosen],
        g[chosen],
        np.concatenate([values for _, values in parts]),
        error[chosen],
        np.concatenate(discs),
    )
