"""Noise-free patterns of the templates of a document's phases: polar patterns or profiles, a run at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from difsims_core.config.distributions import Choice, Distribution, Fixed, Uniform
from difsims_core.config.imperfections import BlochSpec, RandomIntensitiesSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.phases import Crystal
from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.engines.base import Engine
from difsims_core.errors import InputError
from difsims_core.learn.matching.grid import TemplateGrid
from difsims_core.simulation.tables import Tables, build_tables

_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class TemplateChoice:
    """What is chosen of the templates.

    Attributes
    ----------
    resolution_deg : float
        Between beam directions.
    thicknesses : int
        Of a range of them: the middles of so many even parts.
    lattice_scales : int
        Evenly over ``scale_range`` about that of the document.
    scale_range : float
        Half of it, relative.
    intensities : str
        ``simulated``: by the document's engine; ``kinematical``.
    sigma_px : float or None
        Of the spots; None: the middle of the document's.
    """

    resolution_deg: float
    thicknesses: int
    lattice_scales: int
    scale_range: float
    intensities: str = "simulated"
    sigma_px: float | None = None


@dataclass(frozen=True, eq=False)
class TemplateSimulation:
    """An engine that computes the templates of all phases.

    Attributes
    ----------
    tables : Tables
        Engine, libraries and cells.
    grids : tuple of TemplateGrid
        Of each phase, in label order.
    spec : SimulationSpec
        The document without what spoils patterns.
    """

    tables: Tables
    grids: tuple[TemplateGrid, ...]
    spec: SimulationSpec

    @classmethod
    def of(
        cls, spec: SimulationSpec, crystals: Sequence[Crystal], choice: TemplateChoice, most: int
    ) -> TemplateSimulation:
        """Prepare the templates of a document, at most ``most``.

        Raises
        ------
        InputError
            If they are too many, or the document has a class without a crystal.
        """
        if len(spec.class_names) != len(crystals):
            raise InputError(
                f"templates are of crystals, found the classes {', '.join(spec.class_names)}",
                "simulate without background_class for a classifier that matches",
            )
        wanted = _without_imperfections(spec, choice)
        tables = build_tables(wanted, tuple(crystals))
        library = tables.library
        assert library is not None  # noqa: S101 - narrows the type; the document asks for one
        middle = [sum(spec.lattice_scale_of(label).support()) / 2 for label in range(len(crystals))]
        steps = np.linspace(-1, 1, choice.lattice_scales) if choice.lattice_scales > 1 else np.zeros(1)
        grids = tuple(
            TemplateGrid(
                recipe.directions.operations, recipe.directions.members,
                recipe.thickness_angstrom.astype(np.float64), scale * (1 + choice.scale_range * steps),
            )
            for recipe, scale in zip(library.recipes, middle, strict=True)
        )  # fmt: skip
        total = sum(grid.size for grid in grids)
        if total > most:
            raise InputError(
                f"{total:,} templates (directions × thicknesses × lattice scales of {len(grids)} phases), at most "
                f"{most:,} can be",
                "raise resolution_deg, or lower thicknesses, lattice_scales or cells",
            )
        return cls(tables, grids, wanted)

    def polar(self, label: int) -> Iterator[np.ndarray]:
        """Yield the polar patterns (n, n_radii, n_azimuths) float32 of the templates of a phase, run by run."""
        cells = self.tables.cells
        assert cells is not None  # noqa: S101 - narrows the type; the document asks for them
        return self._runs(label, lambda engine, draws, labels: engine.polar_cells(draws, labels, cells)[0])

    def profiles(self, label: int) -> Iterator[np.ndarray]:
        """Yield the profiles (n, n_annuli) float32, over the pixel crop, of the templates of a phase, run by run."""
        crop = self.tables.geometry.grid.crop
        return self._runs(label, lambda engine, draws, labels: engine.profiles(draws, labels)[0][:, crop])

    def _runs(self, label: int, compute: Callable[[Engine, Draws, np.ndarray], np.ndarray]) -> Iterator[np.ndarray]:
        library, grid = self.tables.library, self.grids[label]
        assert library is not None  # noqa: S101
        library.library(label)  # once, by all threads
        edges = [*range(0, grid.size, _AT_ONCE), grid.size]

        def run(ends: tuple[int, int]) -> np.ndarray:
            draws = self._draws(grid, np.arange(*ends))
            return compute(library, draws, np.full(len(draws.patterns), label))

        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            yield from pool.map(run, pairwise(edges))

    def _draws(self, grid: TemplateGrid, number: np.ndarray) -> Draws:
        n, n_scales = len(number), len(grid.lattice_scale)
        thickness = grid.thickness_angstrom[number // n_scales % len(grid.thickness_angstrom)]
        values: dict[str, Any] = {
            "orientation": grid.orientations[number // grid.beside],
            "lattice_scale": grid.lattice_scale[number % n_scales],
            "thickness_angstrom": thickness,
            "relrod_width_per_angstrom": 1 / thickness,
            "precession_angle_deg": np.full(n, self.spec.diffraction.precession_angle_deg.support()[0]),
            "sigma_px": np.full(n, self.tables.geometry.sigma_px[0]),
            "removed_spots": np.zeros(n, np.uint8),
        }
        convergence = self.spec.spots.convergence_semi_angle_mrad
        if convergence is not None:
            values["convergence_mrad"] = np.full(n, convergence.support()[0])
        return Draws(number.astype(np.int64), values)


def _without_imperfections(spec: SimulationSpec, choice: TemplateChoice) -> SimulationSpec:
    """Return the document of the templates: one lattice scale, blur and displacement, and only what crystals do."""
    spots, diffraction, intensities = spec.spots, spec.diffraction, spec.intensities
    sigma = Fixed(fixed=choice.sigma_px) if choice.sigma_px is not None else _middle(spots.sigma_px)
    convergence = spots.convergence_semi_angle_mrad
    thickness = diffraction.thickness_angstrom
    if thickness is None:
        low, high = diffraction.relrod_width_per_angstrom.support()
        thickness = Choice(choice=(1 / high, 1 / low)) if low != high else Fixed(fixed=1 / low)
    if choice.intensities == "kinematical" or isinstance(intensities, RandomIntensitiesSpec):
        intensities = None
    elif isinstance(intensities, BlochSpec) and intensities.rms_displacement_angstrom is not None:
        intensities = intensities.model_copy(
            update={"rms_displacement_angstrom": _middle(intensities.rms_displacement_angstrom)}
        )
    document = spec.to_document() | {
        "orientations": {
            "kind": "library", "resolution_deg": choice.resolution_deg, "thicknesses": max(2, choice.thicknesses),
        },
        "lattice_scale": _about_middle(spec.lattice_scale, choice).to_document(),
        "phases": [
            phase.to_document()
            | ({} if phase.lattice_scale is None else
               {"lattice_scale": _about_middle(phase.lattice_scale, choice).to_document()})
            for phase in spec.phases
        ],
        "calibration_scale": 1.0,
        "intensities": None if intensities is None else intensities.to_document(),
        "output": {"x_all": False, "polar": {} if spec.output.polar is None else spec.output.polar.to_document()},
        "overlap": None, "distortion": None, "cut_off": None, "amorphous_ring": None, "inelastic": None, "noise": None,
        "background": None, "extensions": {}, "combinations": False, "background_class": False,
        "noise_model": "physical",
    }  # fmt: skip
    document["diffraction"] |= {
        "thickness_angstrom": _parts(thickness, choice.thicknesses).to_document(),
        "precession_angle_deg": _middle(diffraction.precession_angle_deg).to_document(),
    }
    document["spots"] |= {
        "sigma_px": sigma.to_document(), "removal": None, "direct_beam": None,
        "convergence_semi_angle_mrad": None if convergence is None else _middle(convergence).to_document(),
    }  # fmt: skip
    return SimulationSpec.model_validate(document)


def _middle(wanted: Distribution) -> Fixed:
    return Fixed(fixed=sum(wanted.support()) / 2)


def _about_middle(wanted: Distribution, choice: TemplateChoice) -> Uniform:
    middle = sum(wanted.support()) / 2
    return Uniform(uniform=(middle * (1 - choice.scale_range), middle * (1 + choice.scale_range)))


def _parts(wanted: Distribution, n: int) -> Choice:
    """Return the middles of ``n`` even parts of a range, or of the range of a choice."""
    low, high = wanted.support()
    values = np.unique(low + (np.arange(n) + 0.5) / n * (high - low))
    return Choice(choice=tuple(float(value) for value in values))
