"""The old form as text: YAML with the tags of the paramspace library, or JSON; nothing is executed.

Known tags: ``!pspace`` (a mapping whose dimensions are swept) and ``!pdim`` or ``!sweep`` (one dimension: a default
and one of values, range, linspace, logspace), with ``-unsorted`` and ``-default`` variants; facts: paramspace 2.8.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from difsims_core.config.documents import read_text
from difsims_core.config.plain_yaml import PlainLoader, read_yaml
from difsims_core.config.sweep import MOST_POINTS
from difsims_core.errors import SpecError

_SETTERS = ("values", "range", "linspace", "logspace")
_OTHERS = ("default", "order", "name", "as_type", "assert_unique", "mask")
_TYPES: dict[str, Callable[[Any], Any]] = {"str": str, "int": int, "bool": bool, "float": float, "tuple": list}


class _Malformed(yaml.YAMLError):
    """A tag that cannot be used; the message says why and where."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """A value that is swept.

    Attributes
    ----------
    default
        What it is when nothing is swept.
    values
        What it takes in turn, without those that a mask leaves out.
    order
        Dimensions of larger order vary faster; those of equal order by name.
    """

    default: Any
    values: tuple[Any, ...]
    order: float


class _TaggedLoader(PlainLoader):
    """Plain YAML with the tags of paramspace."""


def read_old(path: Path) -> Any:
    """Return the values of a document, swept ones as ``Dimension``.

    Raises
    ------
    SpecError
        If the file is missing or malformed, or holds an unknown tag; one line with a remedy.
    """
    text = read_text(path)
    try:
        if path.suffix.lower() == ".json":
            return json.loads(text, object_pairs_hook=_once, parse_constant=_finite)
        return read_yaml(text, _TaggedLoader)
    except (json.JSONDecodeError, yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        first = " ".join(str(error).split()) or type(error).__name__
        raise SpecError(f"{path}: malformed document: {first}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(f"the key {', '.join(twice)} appears twice; leave one of them out")
    return dict(pairs)


def _finite(text: str) -> Any:
    raise ValueError(f"{text} is not a number of JSON; write a number or null")


def _refuse(node: yaml.Node, problem: str) -> _Malformed:
    return _Malformed(f"line {node.start_mark.line + 1}: {problem}")


def _mapping(loader: _TaggedLoader, node: yaml.Node) -> dict[Any, Any]:
    if not isinstance(node, yaml.MappingNode):
        raise _refuse(node, f"{node.tag} needs a mapping of keys and values below it")
    return loader.construct_mapping(node, deep=True)


def _dimension(loader: _TaggedLoader, node: yaml.Node) -> Dimension:
    found = _mapping(loader, node)
    unknown = [str(key) for key in found if key not in (*_SETTERS, *_OTHERS)]
    if unknown:
        known = ", ".join((*_SETTERS, *_OTHERS))
        raise _refuse(node, f"{node.tag} does not know {', '.join(unknown)} (it knows {known})")
    setters = [key for key in _SETTERS if found.get(key) is not None]
    if len(setters) != 1 or "default" not in found:
        raise _refuse(node, f"{node.tag} needs a default and exactly one of {', '.join(_SETTERS)}")
    arguments = found[setters[0]]
    if not isinstance(arguments, list) or not arguments:
        raise _refuse(node, f"{setters[0]} of {node.tag} must be a list that is not empty, found {arguments!r}")
    values = _values(setters[0], arguments, node)
    if any(isinstance(value, Dimension) for value in (found["default"], *values)):
        raise _refuse(node, f"{node.tag} cannot hold another {node.tag}; write its values out")
    if found.get("as_type") is not None:
        try:
            convert = _TYPES[found["as_type"]]
            values, found["default"] = [convert(value) for value in values], convert(found["default"])
        except (KeyError, TypeError, ValueError):
            raise _refuse(node, f"as_type: {found['as_type']!r} does not fit; expected {', '.join(_TYPES)}") from None
    shown = _unmasked(values, found.get("mask"), node)
    return Dimension(found["default"], tuple(shown) or (found["default"],), _order(found.get("order"), node))


def _default(loader: _TaggedLoader, node: yaml.Node) -> Any:
    return _dimension(loader, node).default


def _values(setter: str, arguments: list[Any], node: yaml.Node) -> list[Any]:
    """Return the values as Python's range, or NumPy's linspace and logspace, give them for these arguments."""
    if setter == "values":
        return arguments
    try:
        if setter == "range":
            numbers = range(*arguments)
            values = list(numbers) if len(numbers) <= MOST_POINTS else []
        else:
            import numpy as np

            few = int(arguments[2]) <= MOST_POINTS if len(arguments) > 2 else True
            with np.errstate(over="ignore"):
                values = [float(value) for value in getattr(np, setter)(*arguments)] if few else []
    except (TypeError, ValueError, OverflowError):
        raise _refuse(node, f"{setter}: {arguments} are not arguments of {setter}, such as [0, 10, 5]") from None
    if not values or not all(map(math.isfinite, values)):
        raise _refuse(node, f"{setter}: {arguments} give no values, infinite ones or more than {MOST_POINTS:,}")
    return values


def _unmasked(values: list[Any], mask: Any, node: yaml.Node) -> list[Any]:
    if mask is None or isinstance(mask, bool):
        return [] if mask else values
    if not isinstance(mask, list) or len(mask) != len(values) or not all(isinstance(item, bool) for item in mask):
        raise _refuse(node, f"mask must be true, false or {len(values)} of them, found {mask!r}")
    return [value for value, hidden in zip(values, mask, strict=True) if not hidden]


def _order(value: Any, node: yaml.Node) -> float:
    if value is None:
        return math.inf
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refuse(node, f"order must be a number, found {value!r}")
    return float(value)


def _coupled(_loader: _TaggedLoader, node: yaml.Node) -> Any:
    raise _refuse(
        node,
        f"{node.tag} is not supported; give this key a plain value, convert, then write both keys as one axis: "
        'sweep: {"key, other.key": [[1, 2], [3, 4]]}',
    )


def _unknown(_loader: _TaggedLoader, _suffix: str, node: yaml.Node) -> Any:
    raise _refuse(node, f"the tag {node.tag} is not known here (known: !pspace, !pdim, !sweep); write the value out")


for _tag in ("!pspace", "!pspace-unsorted"):
    _TaggedLoader.add_constructor(_tag, _mapping)
for _tag in ("!pdim", "!sweep"):
    _TaggedLoader.add_constructor(_tag, _dimension)
for _tag in ("!pdim-default", "!sweep-default"):
    _TaggedLoader.add_constructor(_tag, _default)
for _tag in ("!coupled-pdim", "!coupled-sweep", "!coupled-pdim-default", "!coupled-sweep-default"):
    _TaggedLoader.add_constructor(_tag, _coupled)
for _tag in ("!", "tag:yaml.org,2002:python/"):
    _TaggedLoader.add_multi_constructor(_tag, _unknown)
