"""Everything that is drawn for a pattern, from (seed, pattern index) alone (docs/physics.md §8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from difsims_core.config.distributions import Choice, Distribution
from difsims_core.config.simulation import SimulationSpec
from difsims_core.diffraction.library.directions import BeamDirections
from difsims_core.diffraction.quantities import QUANTITIES, draw_quantity
from difsims_core.errors import InputError
from difsims_core.kernels.random import draw
from difsims_core.plugins import nearest
from difsims_core.randomness import Purpose

DRAWN_FOR_MEMBERS = ("rms_displacement_angstrom",)
"""Quantities that are drawn once for each member of a library."""
_MOST_COMBINATIONS = 10**9


@dataclass(frozen=True, slots=True)
class Draws:
    """What was drawn for some patterns; they are computed from these very numbers.

    Attributes
    ----------
    patterns : (n,) int64
        Their indices.
    values : mapping of name to (n, …) array
        Always there: ``orientation`` (n, 4), the unit quaternion (a, b, c, d) of the orix rotation (crystal ← sample);
        ``lattice_scale`` and ``calibration_scale``, factors on a, b, c and on the nominal Å⁻¹ per pixel;
        ``relrod_width_per_angstrom``; ``precession_angle_deg``; ``sigma_px``; ``removed_spots``, of which bit r is set
        when the (r + 1)-th brightest spot was dropped; ``direct_beam``, relative to the brightest reflection;
        ``dose``, counts in the centre of the brightest spot (infinite: no counting noise); ``snr``;
        ``intensity_spike``; ``background_amplitude``; ``background_decay_angstrom``.
        When the document asks for it: ``thickness_angstrom``; ``convergence_mrad``; ``intensity_exponent``,
        ``intensity_scatter``; ``ellipticity``, ``ellipse_direction_deg``, ``centre_error_px`` (n, 2);
        ``beam_stop_radius_px``, ``gap_width_px``, ``gap_offset_px``, ``gap_along_x``; ``ring_…``;
        ``inelastic_amplitude``, ``screening_per_angstrom``; ``second_orientation`` (n, 4), ``second_lattice_scale``,
        ``second_phase``, ``second_fraction``; ``rms_displacement_angstrom``, from a library that of the member, and
        then ``second_rms_displacement_angstrom`` too;
        ``q_crop_scale``.
    """

    patterns: np.ndarray
    values: Mapping[str, np.ndarray]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.values[name]

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def of(self, name: str, which: np.ndarray, absent: float = 0.0) -> np.ndarray:
        """Return (m, …) float64 values of some of the patterns, ``absent`` when it was not drawn."""
        if name not in self.values:
            return np.full(len(which), absent)
        return self.values[name][which].astype(np.float64)

    def without_cut_off(self) -> Draws:
        """Return the same draws for a detector that sees all its pixels."""
        hidden = {"beam_stop_radius_px", "gap_width_px"}
        return Draws(self.patterns, {name: values for name, values in self.values.items() if name not in hidden})


def draw_patterns(
    spec: SimulationSpec,
    lists: list[np.ndarray] | None,
    patterns: np.ndarray,
    directions: Sequence[BeamDirections] | None = None,
) -> Draws:
    """Draw everything for the patterns with the given global indices (n,) int64.

    Parameters
    ----------
    spec
        The document.
    lists
        For each phase the (m, 4) quaternions to choose from; ``None`` draws uniform random rotations.
    patterns
        Global pattern indices.
    directions
        For each phase the beam directions that uniform random rotations are brought onto; ``None`` leaves them.
    """
    seed, combined = spec.seed, combinations(spec)
    digits = _digits(spec, combined, patterns)
    values: dict[str, np.ndarray] = {
        "orientation": _orientations(spec, lists, patterns, prod(map(len, combined.values()))),
        "lattice_scale": _lattice_scales(spec, patterns, patterns % len(spec.class_names), Purpose.LATTICE_SCALE),
        "removed_spots": _removed_spots(spec, patterns),
    }
    for quantity in QUANTITIES:
        wanted = quantity.wanted(spec)
        if quantity.name in combined:
            values[quantity.name] = np.array(combined[quantity.name], np.float32)[digits[quantity.name]]
        elif wanted is not None:
            values[quantity.name] = draw_quantity(wanted, seed, quantity.purpose, patterns, fine=quantity.fine)
        elif quantity.absent is not None:
            values[quantity.name] = np.full(len(patterns), quantity.absent, np.float32)
    if "thickness_angstrom" in values:
        values["relrod_width_per_angstrom"] = 1 / values["thickness_angstrom"]
    if spec.distortion is not None:
        direction = _uniform(spec, Purpose.CENTRE_DIRECTION, patterns, 360)
        length = draw_quantity(spec.distortion.centre_error_px, seed, Purpose.CENTRE_ERROR, patterns)
        angle = np.deg2rad(direction.astype(np.float64))
        shift = length[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        values["centre_error_px"] = shift.astype(np.float32)
        values["ellipse_direction_deg"] = _uniform(spec, Purpose.ELLIPSE_DIRECTION, patterns, 180)
    if spec.cut_off is not None:
        values["gap_along_x"] = (_uniform(spec, Purpose.GAP_DIRECTION, patterns, 2) >= 1).astype(np.uint8)
    if spec.overlap is not None:
        values |= _second_grains(spec, lists, patterns)
    if directions is not None:
        _along(directions, values, "", patterns % len(spec.class_names))
        if spec.overlap is not None:
            _along(directions, values, "second_", values["second_phase"])
    return Draws(patterns, values)


def combinations(spec: SimulationSpec) -> dict[str, tuple[float, ...]]:
    """Return the quantities that a document takes in turn, with their values; the last one changes fastest."""
    if not spec.combinations:
        return {}
    found = {}
    for quantity in QUANTITIES:
        wanted = quantity.asked(spec)
        asked = spec.combinations is True or quantity.path in spec.combinations
        overruled = quantity.purpose is Purpose.RELROD_WIDTH and spec.diffraction.thickness_angstrom is not None
        if asked and isinstance(wanted, Choice) and not overruled:
            found[quantity.name] = wanted.choice
    return found


def _only_drawn(spec: SimulationSpec) -> list[str]:
    """Return the keys that are given as choices but can only be drawn."""
    drawn: dict[str, Distribution | None] = {"lattice_scale": spec.lattice_scale}
    drawn |= {f"phases.{index}.lattice_scale": phase.lattice_scale for index, phase in enumerate(spec.phases)}
    drawn["distortion.centre_error_px"] = None if spec.distortion is None else spec.distortion.centre_error_px
    if spec.orientations.kind == "library":
        members = [quantity for quantity in QUANTITIES if quantity.name in DRAWN_FOR_MEMBERS]
        drawn |= {quantity.path: quantity.asked(spec) for quantity in members}
    drawn["overlap.fraction"] = None if spec.overlap is None else spec.overlap.fraction
    return [path for path, how in drawn.items() if isinstance(how, Choice) and len(how.choice) > 1]


def check_combinations(spec: SimulationSpec) -> None:
    """Refuse a document whose combinations name what is no choice, with ``InputError``."""
    wanted = {quantity.path: quantity.asked(spec) for quantity in QUANTITIES}
    choices = sorted(path for path, how in wanted.items() if isinstance(how, Choice))
    listed = () if isinstance(spec.combinations, bool) else spec.combinations
    only_drawn = _only_drawn(spec)
    wrong = only_drawn if spec.combinations is True else [path for path in listed if path in only_drawn]
    for path in wrong:
        raise InputError(
            f"combinations: {path} is given as a choice, but can only be drawn",
            "give it as a number or a range, or list in combinations the keys that are meant",
        )
    for path in listed:
        if path not in choices:
            raise InputError(
                f"combinations: {path!r} is not given as {{choice: [...]}} in this document{nearest(path, choices)} "
                f"(choices here: {', '.join(choices) or 'none'})",
                "give it as a choice or take it out",
            )
    if spec.combinations is True and not choices:
        raise InputError("combinations: nothing is given as {choice: [...]}, so there is nothing to combine")
    total = prod(map(len, combinations(spec).values()))
    if total > _MOST_COMBINATIONS:
        raise InputError(f"combinations: {total:.3g} are too many, at most {_MOST_COMBINATIONS:g} can be")


def _digits(
    spec: SimulationSpec, combined: Mapping[str, tuple[float, ...]], patterns: np.ndarray
) -> dict[str, np.ndarray]:
    rest = patterns // len(spec.class_names)
    digits = {}
    for name, choices in reversed(list(combined.items())):
        digits[name] = rest % len(choices)
        rest = rest // len(choices)
    return digits


def _uniform(spec: SimulationSpec, purpose: Purpose, patterns: np.ndarray, below: float) -> np.ndarray:
    out = np.empty(len(patterns), np.float32)
    draw.uniform(spec.seed, patterns, 0.0, float(below), int(purpose), out)
    return out


def _orientations(
    spec: SimulationSpec, lists: list[np.ndarray] | None, patterns: np.ndarray, n_combinations: int
) -> np.ndarray:
    """Return (n, 4) float32; patterns that differ in their combination alone share the orientation."""
    n_classes = len(spec.class_names)
    labels, number = patterns % n_classes, patterns // n_classes // n_combinations
    address = number * n_classes + labels
    if lists is None or spec.orientations.order == "random":
        return _rotations(spec, lists, address, labels, Purpose.ORIENTATION)
    out = np.empty((len(patterns), 4), np.float32)
    out[:] = (1, 0, 0, 0)
    for label, members in enumerate(lists):
        mine = labels == label
        out[mine] = members[number[mine] % len(members)]
    return out


def _rotations(
    spec: SimulationSpec, lists: list[np.ndarray] | None, address: np.ndarray, labels: np.ndarray, purpose: Purpose
) -> np.ndarray:
    """Return (n, 4) float32 random rotations, uniform or members of the list of each label."""
    out = np.empty((len(address), 4), np.float32)
    if lists is None:
        draw.rotation(spec.seed, address, int(purpose), out)
        return out
    out[:] = (1, 0, 0, 0)
    index = np.empty(len(address), np.int64)
    for label, members in enumerate(lists):
        draw.choice_index(spec.seed, address, len(members), int(purpose), index)
        mine = labels == label
        out[mine] = members[index[mine]]
    return out


def _along(directions: Sequence[BeamDirections], values: dict[str, np.ndarray], grain: str, labels: np.ndarray) -> None:
    """Turn orientations so that the beam runs along the nearest direction of the phase of each, and take what it has.

    ``grain`` is what the names of its quantities begin with.
    """
    orientations = values[f"{grain}orientation"]
    for label, own in enumerate(directions):
        mine = np.flatnonzero(labels == label)
        orientations[mine] = own.onto_members(orientations[mine])
        for name, held in own.drawn.items():
            absent = np.zeros(len(labels), np.float32)
            values.setdefault(f"{grain}{name}", absent)[mine] = held[own.located(orientations[mine])[1]]


def _second_grains(spec: SimulationSpec, lists: list[np.ndarray] | None, patterns: np.ndarray) -> dict[str, np.ndarray]:
    overlap, n_phases = spec.overlap, len(spec.phases)
    assert overlap is not None  # noqa: S101 - narrows the type; the caller asked
    labels = patterns % len(spec.class_names)
    crystal = labels < n_phases
    second = np.empty(len(patterns), np.int64)
    if overlap.second_phase == "same":
        second[:] = np.minimum(labels, n_phases - 1)
    else:
        draw.choice_index(spec.seed, patterns, n_phases, int(Purpose.SECOND_PHASE), second)
    there = crystal & (_uniform(spec, Purpose.OVERLAP, patterns, 1) < overlap.probability)
    fraction = draw_quantity(overlap.fraction, spec.seed, Purpose.SECOND_FRACTION, patterns)
    return {
        "second_orientation": _rotations(spec, lists, patterns, second, Purpose.SECOND_ORIENTATION),
        "second_lattice_scale": _lattice_scales(spec, patterns, second, Purpose.SECOND_LATTICE_SCALE),
        "second_phase": second.astype(np.uint8),
        "second_fraction": np.where(there, fraction, np.float32(0)),
    }


def _lattice_scales(spec: SimulationSpec, patterns: np.ndarray, labels: np.ndarray, purpose: Purpose) -> np.ndarray:
    out = np.ones(len(patterns), np.float32)
    drawn: dict[Distribution, np.ndarray] = {}
    for label in range(len(spec.phases)):
        wanted = spec.lattice_scale_of(label)
        if wanted not in drawn:
            drawn[wanted] = draw_quantity(wanted, spec.seed, purpose, patterns)
        mine = labels == label
        out[mine] = drawn[wanted][mine]
    return out


def _removed_spots(spec: SimulationSpec, patterns: np.ndarray) -> np.ndarray:
    """Return (n,) bit masks in the smallest unsigned integers that hold them."""
    removal = spec.spots.removal
    if removal is None:
        return np.zeros(len(patterns), np.uint8)
    masks = np.empty(len(patterns), np.uint64)
    count = -1 if removal.count == "uniform" else min(int(removal.count), removal.among)
    draw.subset(spec.seed, patterns, removal.among, count, int(Purpose.SPOT_REMOVAL), masks)
    return masks.astype(np.min_scalar_type((1 << removal.among) - 1))
