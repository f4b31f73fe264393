"""The imperfections of other packages that a document asks for, applied stage by stage (`imperfections.base`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from difsims_core.config.base import Spec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.diffraction.draws import Draws
from difsims_core.diffraction.grains import Grains
from difsims_core.diffraction.imperfections.allowed import problem_of_values
from difsims_core.diffraction.imperfections.base import Imperfection, Route, SignalAxes, Stage
from difsims_core.diffraction.sources import Spots
from difsims_core.errors import InputError
from difsims_core.families import IMPERFECTIONS
from difsims_core.messages import first_line
from difsims_core.randomness import NamedRandom

_QUANTITY = re.compile(r"[a-z][a-z0-9_]{0,99}")


@dataclass(frozen=True, slots=True)
class Extension:
    """An imperfection of another package with its section of the document."""

    name: str
    imperfection: Imperfection
    section: Spec

    def call(self, hook: Callable[..., Any], *arguments: Any) -> Any:
        """Return what a hook gives; whatever goes wrong in it names the package."""
        try:
            return hook(self.section, *arguments)
        except Exception as error:
            raise self.error(f"failed ({type(error).__name__}: {first_line(error)})") from error

    def error(self, problem: str) -> InputError:
        """Return the error that something is wrong with it."""
        package = IMPERFECTIONS.package(self.name)
        return InputError(
            f"the imperfection {self.name!r}{f' of {package}' if package else ''} {problem}; correct its section, tell "
            "its author, or leave it out of extensions"
        )


@dataclass(frozen=True, slots=True)
class Extensions:
    """All of them, in the order of their names, and the seed of the document."""

    seed: int
    members: tuple[Extension, ...]

    @classmethod
    def of(cls, spec: SimulationSpec) -> Extensions:
        """Find the imperfections that a document names, and read their sections.

        Raises
        ------
        InputError
            If one is not installed or cannot be imported, its section is not of its form, or it cannot be applied to
            polar patterns where the document keeps some.
        """
        members = []
        for name, section in sorted(spec.extensions.items()):
            found = IMPERFECTIONS[name]
            found = found() if isinstance(found, type) else found
            try:
                members.append(Extension(name, found, found.section.model_validate(section)))
            except ValueError as error:
                problem = f"extensions.{name}: not a section of this imperfection ({first_line(error)}); correct it"
                raise InputError(problem) from error
        extensions = cls(spec.seed, tuple(members))
        extensions.check_route("profile")
        if spec.output.polar_px or spec.output.polar_all or spec.output.polar:
            extensions.check_route("polar")
        return extensions

    def at(self, stage: Stage) -> tuple[Extension, ...]:
        """Return those of one stage."""
        return tuple(member for member in self.members if member.imperfection.stage == stage)

    @property
    def change_signals(self) -> bool:
        """Whether one changes intensities on the detector, which it may do across annuli."""
        return bool(self.at("profile") or self.at("counts"))

    def versions(self) -> dict[str, str]:
        """Return the version of each by its name: with the sections, what results depend on."""
        return {member.name: member.imperfection.version for member in self.members}

    def check_route(self, route: Route) -> None:
        """Refuse a route that one of them cannot be applied to, with ``InputError``."""
        for member in self.members:
            if route not in member.imperfection.routes:
                raise member.error(f"cannot be applied by the route {route!r} (its routes: "
                                   f"{', '.join(sorted(member.imperfection.routes)) or 'none'})")  # fmt: skip

    def draw(self, spec: SimulationSpec, draws: Draws) -> Draws:
        """Return the draws with what each of them adds or replaces."""
        for member in self.members:
            found = member.call(member.imperfection.draw, draws, self._random(member, draws.patterns))
            if not found:
                continue
            values = dict(draws.values)
            for name, given in found.items():
                values[name] = _checked_draw(member, spec, draws, str(name), given)
            if "thickness_angstrom" in found:
                values["relrod_width_per_angstrom"] = 1 / values["thickness_angstrom"]
            draws = Draws(draws.patterns, values)
        return draws

    def change_spots(self, spots: Spots, crystals: Grains, draws: Draws) -> Spots:
        """Return the spots of some crystals, ``draws`` being those of the run that ``crystals.which`` counts."""
        own = Draws(draws.patterns[crystals.which], {name: v[crystals.which] for name, v in draws.values.items()})
        for member in self.at("spots"):
            random = NamedRandom(
                self.seed, f"{member.name}/{crystals.random[1]}", own.patterns[spots.crystal], spots.reflection
            )
            changed = member.call(getattr(member.imperfection, "change_spots"), spots, own, random)  # noqa: B009
            spots = _checked_spots(member, spots, changed)
        return spots

    def change_signal(self, values: np.ndarray, axes: SignalAxes, draws: Draws) -> np.ndarray:
        """Return noise-free intensities (n, …) as they reach the detector."""
        return self._changed("profile", "change_signal", values, axes, draws)

    def change_counts(self, values: np.ndarray, axes: SignalAxes, draws: Draws) -> np.ndarray:
        """Return readings (n, …) of the detector."""
        return self._changed("counts", "change_counts", values, axes, draws)

    def _changed(self, stage: Stage, hook: str, values: np.ndarray, axes: SignalAxes, draws: Draws) -> np.ndarray:
        for member in self.at(stage):
            random = self._random(member, draws.patterns)
            changed = np.asarray(member.call(getattr(member.imperfection, hook), values, axes, draws, random))
            if changed.shape != values.shape or changed.dtype.kind not in "fiu" or not np.isfinite(changed).all():
                found = f"{changed.dtype} {changed.shape}, or numbers that are not finite"
                raise member.error(f"gave {found}; expected values {values.shape} for the route {axes.route!r}")
            values = np.ascontiguousarray(changed, np.float32)
        return values

    def _random(self, member: Extension, patterns: np.ndarray) -> NamedRandom:
        return NamedRandom.of_patterns(self.seed, member.name, patterns)


def _checked_draw(member: Extension, spec: SimulationSpec, draws: Draws, name: str, given: Any) -> np.ndarray:
    """Return a quantity that may be stored and used."""
    values, n = np.asarray(given), len(draws.patterns)
    if not _QUANTITY.fullmatch(name):
        raise member.error(f"draws {name!r:.120}, which is no name of small letters, digits and underscores")
    if values.dtype.kind not in "buif" or values.shape[:1] != (n,) or np.isnan(values.astype(np.float64)).any():
        raise member.error(f"draws {name} as {values.dtype} {values.shape}; expected numbers for each of {n} patterns")
    if name not in draws:
        return values
    known = draws[name]
    if values.shape != known.shape or not np.can_cast(values.dtype, known.dtype, "same_kind"):
        raise member.error(
            f"replaces {name} by {values.dtype} {values.shape}; expected {known.dtype} {known.shape} as it was"
        )
    values = values.astype(known.dtype)
    if problem := problem_of_values(spec, draws, name, values):
        raise member.error(f"replaces {name} by values that the document does not allow ({problem})")
    return values


def _checked_spots(member: Extension, before: Spots, after: Any) -> Spots:
    if not isinstance(after, Spots):
        raise member.error(f"gave a {type(after).__name__} for spots")
    g, intensity = np.asarray(after.g, np.float64), np.asarray(after.intensity, np.float64)
    if g.shape != before.g.shape or intensity.shape != before.intensity.shape:
        raise member.error(f"gave {len(intensity)} spots and {g.shape} vectors for {len(before.intensity)} spots")
    if not (np.isfinite(g).all() and np.isfinite(intensity).all() and (intensity >= 0).all()):
        raise member.error("gave vectors or intensities of spots that are not finite, or negative")
    return replace(before, g=g, intensity=intensity)
