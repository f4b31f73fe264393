"""What the library of a phase is made of, and how: its recipe gives the spots of any run of members, in memory.

A library is computed for one lattice scale, one convergence angle and one precession angle: the middle of what the
document draws them from. A pattern takes its own lattice scale to place its spots.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from difsims_core.config.imperfections import RandomIntensitiesSpec
from difsims_core.config.keys.fingerprint import fingerprint_document
from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.phases import Crystal
from difsims_core.diffraction.draws import DRAWN_FOR_MEMBERS, Draws
from difsims_core.diffraction.engines.base import Engine
from difsims_core.diffraction.engines.versions import LIBRARY_VERSION
from difsims_core.diffraction.library.directions import BeamDirections
from difsims_core.diffraction.quantities import QUANTITIES, draw_quantity, levels
from difsims_core.errors import InputError
from difsims_core.kernels.library import HeldSpots

logger = logging.getLogger(__name__)

AT_ONCE = 256
"""Members that an engine is asked for together."""
_MOST_BYTES = 6e9


@dataclass(frozen=True, eq=False)
class LibraryRecipe:
    """Everything that the library of one phase depends on.

    Attributes
    ----------
    spec : SimulationSpec
        The document that asks for it.
    engine : Engine
        Prepared; it computes the spots.
    label : int
        The phase's number in it.
    crystal : Crystal
        The phase.
    directions : BeamDirections
        The members.
    thickness_angstrom : (t,) float32
        Increasing, Å.
    conditions : mapping of str to float
        What stands for draws of all members, by name: ``lattice_scale``, ``convergence_mrad``,
        ``precession_angle_deg``, and the calibration and distortion with which a pattern shows most.
    content : mapping
        All this in plain JSON values: what the library is known by.
    """

    spec: SimulationSpec
    engine: Engine
    label: int
    crystal: Crystal
    directions: BeamDirections
    thickness_angstrom: np.ndarray
    conditions: dict[str, float]
    content: dict[str, Any]

    @classmethod
    def of(cls, engine: Engine, spec: SimulationSpec, label: int, crystal: Crystal) -> LibraryRecipe:
        """Return the recipe of one phase of a document.

        Raises
        ------
        InputError
            If the resolution makes too many directions.
        """
        wanted, diffraction, scales = spec.orientations, spec.diffraction, spec.lattice_scale_of(label).support()
        convergence, thickness = spec.spots.convergence_semi_angle_mrad, diffraction.thickness_angstrom
        assert thickness is not None  # noqa: S101 - narrows the type; the document was checked
        thicknesses = levels(thickness, wanted.thicknesses)
        scale, distortion, geometry = sum(scales) / 2, spec.distortion, engine.geometry
        conditions = {
            "lattice_scale": scale,
            "convergence_mrad": 0.0 if convergence is None else sum(convergence.support()) / 2,
            "precession_angle_deg": diffraction.precession_angle_deg.support()[0],
            "calibration_scale": spec.calibration_scale.support()[1] * scales[1] / scale,
            "ellipticity": 0.0 if distortion is None else distortion.ellipticity.support()[1],
            "centre_error_px": 0.0 if distortion is None else distortion.centre_error_px.support()[1],
        }
        output = spec.output
        directions = BeamDirections.over_sector(crystal, wanted.resolution_deg)
        members = np.arange(len(directions.members))
        drawn = {
            quantity.name: draw_quantity(how, 0, quantity.purpose, members)
            for quantity in QUANTITIES
            if quantity.name in DRAWN_FOR_MEMBERS and (how := quantity.wanted(spec)) is not None
        }
        directions = replace(directions, drawn=drawn)
        model = fingerprint_document(diffraction)
        for drawn in ("thickness_angstrom", "relrod_width_per_angstrom", "precession_angle_deg"):
            model.pop(drawn, None)
        intensities = None if isinstance(spec.intensities, RandomIntensitiesSpec) else spec.intensities
        content = {
            "version": LIBRARY_VERSION,
            "engine": [engine.name, engine.version],
            "diffraction": model,
            "intensities": None if intensities is None else fingerprint_document(intensities),
            "beam_energy_kv": spec.microscope.beam_energy_kv,
            "crystal": crystal.structure_sha256,
            "resolution_deg": wanted.resolution_deg,
            "thickness_angstrom": thicknesses.tolist(),
            "scales": list(scales),
            "detector": fingerprint_document(spec.detector),
            "reach_px": [geometry.reach_px, geometry.disc_px, float(geometry.sigma_px[-1])],
            "shows_all": output.x_all or output.polar_all or output.peaks or spec.postprocessing.q_crop is not None,
            **conditions,
        }
        return cls(spec, engine, label, crystal, directions, thicknesses, conditions, content)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of ``content``."""
        return fingerprint_of(self.content)

    @property
    def n_members(self) -> int:
        """Number of beam directions."""
        return len(self.directions.members)

    def spots_of(self, first: int, stop: int) -> HeldSpots:
        """Compute the spots of members ``first`` … ``stop``, for all thicknesses; the same for any run they are in."""
        parts = [self._computed(*pair) for pair in pairwise([*range(first, stop, AT_ONCE), stop])]
        return joined(parts)

    def library(self, held: HeldSpots) -> DirectionLibrary:
        """Return the library with the spots of all members."""
        hkl = self.engine.phases[self.label].hkl
        operations = self.crystal.structure.setting.point_operations
        return DirectionLibrary(
            self.directions, self.thickness_angstrom, held, equivalent_reflections(hkl, operations)
        )  # fmt: skip

    def check_size(self, held: HeldSpots, n_members: int) -> None:
        """Refuse a library that will not fit into memory, judged by ``n_members`` of it, with ``InputError``."""
        needed = held.intensity.nbytes / n_members * self.n_members
        if needed > _MOST_BYTES:
            raise InputError(
                f"{self.crystal.name}: its library will take {needed / 1e9:.1f} GB of memory ({self.n_members:,} beam "
                f"directions, {len(self.thickness_angstrom)} thicknesses, about {len(held.reflection) / n_members:.0f} "
                f"spots each), at most {_MOST_BYTES / 1e9:g} can be",
                "raise orientations.resolution_deg or lower orientations.thicknesses",
            )

    def _computed(self, first: int, stop: int) -> HeldSpots:
        n, t = stop - first, len(self.thickness_angstrom)
        draws = self._draws(first, stop)
        (crystals,) = self.engine.grains(draws, np.full(n * t, self.label))
        frame = self.engine.geometry.frame
        whole = frame._replace(half_x=frame.reach, half_y=frame.reach)  # at any turn a corner can show what lies there
        spots = self.engine.spots(crystals, whole)
        n_reflections = len(self.engine.phases[self.label].hkl)
        member, level = np.divmod(spots.crystal, t)
        places, place = np.unique(member * n_reflections + spots.reflection, return_inverse=True)
        intensity = np.zeros((len(places), t), np.float32)
        intensity[place, level] = spots.intensity
        start = np.searchsorted(places, np.arange(n + 1) * n_reflections)
        return HeldSpots(start, (places % n_reflections).astype(np.int32), intensity)

    def _draws(self, first: int, stop: int) -> Draws:
        """Return what stands for draws of members, each with all thicknesses one after another."""
        t, known = len(self.thickness_angstrom), self.conditions
        n = (stop - first) * t
        thickness = np.tile(self.thickness_angstrom, stop - first)
        values: dict[str, Any] = {
            "orientation": np.repeat(self.directions.orientations[first:stop], t, axis=0),
            "removed_spots": np.zeros(n, np.uint8),
            "sigma_px": np.full(n, self.engine.geometry.sigma_px[0]),
            "thickness_angstrom": thickness,
            "relrod_width_per_angstrom": 1 / thickness,
        }
        values |= {name: np.full(n, value) for name, value in known.items()}
        values |= {name: np.repeat(held[first:stop], t) for name, held in self.directions.drawn.items()}
        values["centre_error_px"] = np.stack([values["centre_error_px"], np.zeros(n)], axis=1)
        return Draws(np.arange(first * t, stop * t), values)


@dataclass(frozen=True, eq=False)
class DirectionLibrary:
    """The spots of one phase for many beam directions and thicknesses.

    Attributes
    ----------
    directions : BeamDirections
        The members.
    thickness_angstrom : (t,) float32
        Increasing, Å.
    held : HeldSpots
        Spots of the members.
    equivalent : (m, r) int32
        Which reflection S⁻¹ g is, for each point operation S and reflection g; −1 where the list ends before it.
    """

    directions: BeamDirections
    thickness_angstrom: np.ndarray
    held: HeldSpots
    equivalent: np.ndarray

    def level(self, thickness_angstrom: np.ndarray) -> np.ndarray:
        """Return (n,) int64 the number of the nearest thickness."""
        between = (self.thickness_angstrom[1:].astype(np.float64) + self.thickness_angstrom[:-1]) / 2
        return np.searchsorted(between, thickness_angstrom)


LibrarySource = Callable[[LibraryRecipe], DirectionLibrary]
"""Finds or computes the library of a recipe."""


def library_in_memory(recipe: LibraryRecipe) -> DirectionLibrary:
    """Compute a library, a thread for each processor."""
    n = recipe.n_members
    logger.info("computing %d beam directions of %s", n, recipe.crystal.name)
    held = recipe.spots_of(0, min(n, AT_ONCE))
    recipe.check_size(held, min(n, AT_ONCE))
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        edges = [*range(min(n, AT_ONCE), n, AT_ONCE), n]
        parts = [held, *pool.map(lambda pair: recipe.spots_of(*pair), pairwise(edges))]
    return recipe.library(joined(parts))


def fingerprint_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the content of a recipe, hexadecimal."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def joined(parts: list[HeldSpots]) -> HeldSpots:
    """Return the spots of runs of members, one run after another, as one."""
    ends = np.cumsum([0, *(len(part.reflection) for part in parts)])
    start = [part.start[:-1] + end for part, end in zip(parts, ends, strict=False)]
    return HeldSpots(
        np.concatenate([*start, ends[-1:]]),
        np.concatenate([part.reflection for part in parts]),
        np.concatenate([part.intensity for part in parts]),
    )


def equivalent_reflections(hkl: np.ndarray, operations: np.ndarray) -> np.ndarray:
    """Return (m, r) int32 which of the (r, 3) indices each (m, 3, 3) operation of the cell makes of each: hkl · W."""
    span = 2 * int(np.abs(hkl).max(initial=0)) * 3 + 1  # no operation of a lattice has an entry beyond ±1
    number = np.array([span * span, span, 1])
    own = hkl.astype(np.int64) @ number
    order = np.argsort(own)
    found = np.empty((len(operations), len(hkl)), np.int32)
    for i, operation in enumerate(operations):
        wanted = hkl.astype(np.int64) @ operation @ number
        place = order[np.minimum(np.searchsorted(own, wanted, sorter=order), len(own) - 1)]
        found[i] = np.where(own[place] == wanted, place, -1)
    return found
