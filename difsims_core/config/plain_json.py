"""JSON as a parameter document needs it: every key once, numbers that are numbers, not nested without end."""

from __future__ import annotations

import json
from typing import Any

from difsims_core.config.plain_yaml import MOST_NESTED
from difsims_core.config.yaml_errors import MalformedError, shown

_DEEP = f"values are nested more than {MOST_NESTED} deep; nest them less"


def read_json(text: str) -> Any:
    """Return the value that a JSON text stands for.

    Raises
    ------
    MalformedError
        If it is malformed, nested too deeply, or holds a key twice, a number that JSON does not have, or half a
        character.
    """
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise MalformedError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise MalformedError(_DEEP) from None
    layer = [value]
    for _ in range(MOST_NESTED + 1):
        layer = [part for item in layer for part in _parts(item)]
    if layer:
        raise MalformedError(_DEEP)
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise MalformedError(r"a text holds half a character; write both of its \u escapes") from None
    return value


def _parts(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise MalformedError(f"the key {key} appears twice; leave one of them out")
        found[key] = value
    return found


def _no_number(text: str) -> Any:
    raise MalformedError(f"{text} is not a number of JSON; write a number or null")


def _integer(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:
        raise MalformedError(f"{shown(digits)} has too many digits for a number") from None
