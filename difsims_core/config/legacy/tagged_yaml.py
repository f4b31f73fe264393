"""The legacy form as text: YAML with the tags of the paramspace library, or JSON; nothing is executed.

Known tags: ``!pspace`` (a mapping whose dimensions are swept) and ``!pdim`` or ``!sweep`` (one dimension: a default
and one of values, range, linspace, logspace), with ``-unsorted`` and ``-default`` variants; facts: paramspace 2.8,
which reads with ruamel.yaml's own rules for YAML 1.2: 010 is 10, 1_000 is 1000, ``yes`` is text.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml.resolver import VersionedResolver

from difsims_core.config.documents import read_text
from difsims_core.config.sweep import MOST_POINTS
from difsims_core.config.yaml.core_schema import YAML_ORG
from difsims_core.config.yaml.reader import TagReader, read_yaml
from difsims_core.errors import MalformedError, SpecError
from difsims_core.plain_json import read_json

_SETTERS = ("values", "range", "linspace", "logspace")
_OTHERS = ("default", "order", "name", "as_type", "assert_unique", "mask")
_TYPES: dict[str, Callable[[Any], Any]] = {"str": str, "int": int, "bool": bool, "float": float, "tuple": list}


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
            return read_json(text)
        return read_yaml(text, tags=_TAGS, resolver=VersionedResolver)
    except MalformedError as error:
        raise SpecError(f"{path}: malformed document: {error.problem}", error.remedy) from None


def _mapping(found: Any, tag: str, line: int) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise MalformedError.at(line, f"{tag} needs a mapping of keys and values below it")
    return found


def _dimension(value: Any, tag: str, line: int) -> Dimension:
    found = dict(_mapping(value, tag, line))
    unknown = [str(key) for key in found if key not in (*_SETTERS, *_OTHERS)]
    if unknown:
        known = ", ".join((*_SETTERS, *_OTHERS))
        raise MalformedError.at(line, f"{tag} does not know {', '.join(unknown)} (it knows {known})")
    setters = [key for key in _SETTERS if found.get(key) is not None]
    if len(setters) != 1 or "default" not in found:
        raise MalformedError.at(line, f"{tag} needs a default and exactly one of {', '.join(_SETTERS)}")
    arguments = found[setters[0]]
    if not isinstance(arguments, list) or not arguments:
        raise MalformedError.at(line, f"{setters[0]} of {tag} must be a list that is not empty, found {arguments!r}")
    values = _values(setters[0], arguments, line)
    if any(isinstance(value, Dimension) for value in (found["default"], *values)):
        raise MalformedError.at(line, f"{tag} cannot hold another {tag}", "write its values out")
    if found.get("as_type") is not None:
        try:
            convert = _TYPES[found["as_type"]]
            values, found["default"] = [convert(value) for value in values], convert(found["default"])
        except (KeyError, TypeError, ValueError, OverflowError):
            raise MalformedError.at(
                line, f"as_type: {found['as_type']!r} does not fit; expected {', '.join(_TYPES)}"
            ) from None
    shown = _unmasked(values, found.get("mask"), line)
    return Dimension(found["default"], tuple(shown) or (found["default"],), _order(found.get("order"), line))


def _default(found: Any, tag: str, line: int) -> Any:
    return _dimension(found, tag, line).default


def _values(setter: str, arguments: list[Any], line: int) -> list[Any]:
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
        raise MalformedError.at(
            line, f"{setter}: {arguments} are not arguments of {setter}, such as [0, 10, 5]"
        ) from None
    if not values or not all(map(math.isfinite, values)):
        raise MalformedError.at(
            line, f"{setter}: {arguments} give no values, infinite ones or more than {MOST_POINTS:,}"
        )
    return values


def _unmasked(values: list[Any], mask: Any, line: int) -> list[Any]:
    if mask is None or isinstance(mask, bool):
        return [] if mask else values
    if not isinstance(mask, list) or len(mask) != len(values) or not all(isinstance(item, bool) for item in mask):
        raise MalformedError.at(line, f"mask must be true, false or {len(values)} of them, found {mask!r}")
    return [value for value, hidden in zip(values, mask, strict=True) if not hidden]


def _order(value: Any, line: int) -> float:
    if value is None:
        return math.inf
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MalformedError.at(line, f"order must be a number, found {value!r}")
    try:
        return float(value)
    except OverflowError:
        raise MalformedError.at(line, "order must be a number below 1e308") from None


def _coupled(_found: Any, tag: str, line: int) -> Any:
    raise MalformedError.at(
        line,
        f"{tag} is not supported",
        "give this key a plain value, convert, then write both keys as one axis: "
        'sweep: {"key, other.key": [[1, 2], [3, 4]]}',
    )


def _date(found: str, _tag: str, line: int) -> Any:
    raise MalformedError.at(line, f"{found} is a date to the legacy platform", "write it in quotes")


_TAGS: dict[str, TagReader] = {
    **dict.fromkeys(("!pspace", "!pspace-unsorted"), _mapping),
    **dict.fromkeys(("!pdim", "!sweep"), _dimension),
    **dict.fromkeys(("!pdim-default", "!sweep-default"), _default),
    **dict.fromkeys(("!coupled-pdim", "!coupled-sweep", "!coupled-pdim-default", "!coupled-sweep-default"), _coupled),
    f"{YAML_ORG}timestamp": _date,
}
