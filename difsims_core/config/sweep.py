"""Sweeps: one parameter document that stands for several simulations.

A document carries ``sweep: {seed: [0, 5, 10], postprocessing.sqrt: [true, false]}``: dotted keys as on the command
line, each with the values that it takes in turn, whatever the document itself says of it. Every combination is one
point, a simulation of its own; the axes vary in the order of the document, the last one fastest. Several keys that
change together form one axis: ``noise, background: [[null, null], [{dose: 10}, {amplitude: 1}]]``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from math import prod
from pathlib import Path
from typing import Any

from difsims_core.config.distributions import DISTRIBUTIONS
from difsims_core.config.documents import apply_changes, make_spec, read_document, set_key
from difsims_core.config.keys.aliases import CONVERTED, FIRST_NAMES, todays_path
from difsims_core.config.simulation import SimulationSpec
from difsims_core.config.yaml.errors import shown
from difsims_core.errors import SpecError

MOST_POINTS = 10_000
_MOST_KEYS = 100
_LONGEST_PLACE = 500
_MOST_READ = 200_000_000  # characters of parameters, those of all points together


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension of a sweep.

    Attributes
    ----------
    keys
        Dotted keys of the document; more than one change together.
    values
        What they take in turn: plain values; for several keys, one list a step with a value for each key.
    """

    keys: tuple[str, ...]
    values: tuple[Any, ...]

    @property
    def name(self) -> str:
        """The axis as a document names it."""
        return ", ".join(self.keys)

    def setting(self, value: Any) -> list[tuple[str, Any]]:
        """Return the keys with what they are at one of the values."""
        return list(zip(self.keys, value if len(self.keys) > 1 else [value], strict=True))


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """One simulation of a sweep.

    Attributes
    ----------
    label
        What sets it apart, such as ``seed=5 postprocessing.sqrt=true``; empty when nothing is swept.
    spec
        Its parameters.
    """

    label: str
    spec: SimulationSpec


@dataclass(frozen=True, slots=True)
class Sweep:
    """All points of a sweep, the last axis fastest.

    Attributes
    ----------
    axes
        What varies; none: a sweep of one point.
    points
        The simulations.
    """

    axes: tuple[Axis, ...]
    points: tuple[SweepPoint, ...]

    @property
    def plain_axes(self) -> dict[str, list[Any]]:
        """The axes as a document writes them."""
        return {axis.name: list(axis.values) for axis in self.axes}


def load_sweep(path: str | Path, changes: Iterable[str] = ()) -> Sweep:
    """Read a parameter document with or without a sweep.

    Parameters
    ----------
    path
        The file.
    changes
        ``key=value`` strings applied on top; a swept key that is set here is swept no longer.

    Raises
    ------
    SpecError
        If the file is missing or malformed, an axis is empty or holds a value twice, there are too many points, or a
        key or value is not allowed; the message names the point.

    Examples
    --------
    >>> from difsims_core import load_sweep
    >>> sweep = load_sweep("deployments/specs/reference.yaml", changes=["sweep={seed: [10, 11]}"])
    >>> [(point.label, point.spec.seed) for point in sweep.points]
    [('seed=10', 10), ('seed=11', 11)]
    """
    changes = list(changes)
    document = apply_changes(read_document(path), changes)
    source = str(path)
    axes = _read_axes(document.pop("sweep", None) or {}, source)
    fixed = [_one_name(change.partition("=")[0].strip()) for change in changes]
    return _enumerate(document, tuple(_still_swept(axes, fixed, source)), source)


def make_sweep(document: Mapping[str, Any], axes: Mapping[str, Any], *, source: str = "sweep") -> Sweep:
    """Return the points of ``axes`` over plain values; ``source`` says in errors where they came from.

    Raises
    ------
    SpecError
        As ``load_sweep``.
    """
    return _enumerate(document, _read_axes(axes, source), source)


def _enumerate(document: Mapping[str, Any], axes: tuple[Axis, ...], source: str) -> Sweep:
    n_points = prod(len(axis.values) for axis in axes)
    if n_points > MOST_POINTS:
        sizes = " × ".join(str(len(axis.values)) for axis in axes)
        raise SpecError(f"{source}: the sweep has {n_points:,} points ({sizes}), at most {MOST_POINTS:,} can be")
    text = json.dumps(document)
    size = len(text) + sum(len(json.dumps(axis.values)) // len(axis.values) for axis in axes)  # of a point
    if n_points * size > _MOST_READ:
        raise SpecError(
            f"{source}: {n_points:,} points of {size:,} characters each are more than can be read",
            "sweep in parts, or put long lists into files",
        )
    points = []
    for values in product(*(axis.values for axis in axes)):
        settings = [item for axis, value in zip(axes, values, strict=True) for item in axis.setting(value)]
        label = " ".join(f"{key}={_shown(value)}" for key, value in settings)
        place = f"{source}, point {label[:_LONGEST_PLACE]}" if label else source
        plain = json.loads(text)
        try:
            for key, value in settings:
                set_key(plain, key, value, key)
        except SpecError as error:
            raise SpecError(f"{place}: {error.problem}", error.remedy) from None
        points.append(SweepPoint(label, make_spec(plain, source=place)))
    return Sweep(axes, tuple(points))


def _read_axes(plain: Any, source: str) -> tuple[Axis, ...]:
    if not isinstance(plain, Mapping):
        raise SpecError(f"{source}: sweep: expected keys with lists of values, found {shown(str(plain))}")
    axes = tuple(_read_axis(name, values, source) for name, values in _flat(plain))
    keys = [key for axis in axes for key in axis.keys]
    if len(keys) > _MOST_KEYS:
        raise SpecError(
            f"{source}: sweep: {len(keys):,} keys are swept, at most {_MOST_KEYS} can be", "give some a value"
        )
    for one, other in combinations(keys, 2):
        if todays_path(one) == todays_path(other):
            named = [first for first, today in FIRST_NAMES.items() if todays_path(one).rpartition(".")[2] == today]
            known = f"{todays_path(one).rpartition('.')[2]} and {named[0]} are one key; " if named else ""
            raise SpecError(f"{source}: sweep: {one} is swept twice", f"{known}leave one of the two out")
        if one.startswith(f"{other}.") or other.startswith(f"{one}."):
            raise SpecError(f"{source}: sweep: {one} and {other} set the same values", "sweep one of the two")
    return axes


def _flat(plain: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the axes of a sweep, whose keys may be dotted or nested."""
    for key, value in plain.items():
        if isinstance(value, Mapping) and value and not DISTRIBUTIONS.keys() >= value.keys():
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _read_axis(name: str, values: Any, source: str) -> Axis:
    keys = tuple(_one_name(key.strip()) for key in name.split(","))
    if not all(keys):
        raise SpecError(
            f"{source}: sweep: {shown(name)} is not a key", "write one, or several with commas between them"
        )
    if not isinstance(values, list | tuple):
        raise SpecError(f"{source}: sweep: {name}: expected a list of values, found {values!r}", f"write [{values}]")
    if not values:
        raise SpecError(f"{source}: sweep: {name}: no values", "list at least one, or leave the key out")
    if len(keys) > 1:
        for step in values:
            if not isinstance(step, list | tuple) or len(step) != len(keys):
                raise SpecError(
                    f"{source}: sweep: {name}: expected {len(keys)} values a step, one for each key, found {step!r}"
                )
    seen: set[str] = set()
    for value in values:
        same = _canonical(value)
        if same in seen:
            raise SpecError(f"{source}: sweep: {name}: {_shown(value)} is listed twice", "leave one of them out")
        seen.add(same)
    return Axis(keys, tuple(values))


def _still_swept(axes: tuple[Axis, ...], fixed: list[str], source: str) -> Iterator[Axis]:
    """Yield the axes whose keys no change on top has set."""
    for axis in axes:
        parts = [key for key in fixed for swept in axis.keys if key.startswith(f"{swept}.")]
        if parts or (len(axis.keys) > 1 and set(fixed) & set(axis.keys)):
            given = (parts or sorted(set(fixed) & set(axis.keys)))[0]
            raise SpecError(
                f"{source}: {given} cannot be set on top of the sweep of {axis.name}",
                "leave the sweep out with --set sweep=null, or change the document",
            )
        if not set(fixed) & set(axis.keys):
            yield axis


def _one_name(key: str) -> str:
    """Return today's name of a key; one whose values are other numbers under its first name keeps that."""
    return key if key.rpartition(".")[2] in CONVERTED else todays_path(key)


def _canonical(value: Any) -> str:
    """Return equal texts for equal values: 1 and 1.0 are one, 1 and true are not."""
    return json.dumps(_as_floats(value), sort_keys=True)


def _as_floats(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _as_floats(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_floats(item) for item in value]
    # An integer beyond 2⁵³ has no float of its own.
    return float(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53 else value


def _shown(value: Any) -> str:
    return value if isinstance(value, str) and value.isprintable() else json.dumps(value, ensure_ascii=False)
