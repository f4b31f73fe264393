"""JSON that survives being written again: every key once, numbers that are numbers, whole characters, not endless.

What comes from outside is read by this function alone: a value that `json.loads` takes and `json.dumps` refuses (NaN,
half a character, lists within lists without end) would make a record that can never be changed again.
"""

from __future__ import annotations

import json
from typing import Any

from difsims_core.errors import MalformedError

MOST_NESTED = 50
_LONGEST_SHOWN = 60


def read_json(text: str | bytes) -> Any:
    """Return the value that a JSON text stands for; bytes are UTF-8.

    Raises
    ------
    MalformedError
        If it is malformed, nested more than `MOST_NESTED` deep, or holds a key twice, a number that JSON does not
        have, or half a character.
    """
    try:
        text = text.decode() if isinstance(text, bytes) else text
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise MalformedError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise MalformedError(f"byte {error.start} is not UTF-8") from None
    except RecursionError:
        raise _too_deep() from None
    layer = [value]
    for _ in range(MOST_NESTED + 1):
        layer = [part for item in layer for part in _parts(item)]
    if layer:
        raise _too_deep()
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise MalformedError(r"a text holds half a character", r"write both of its \u escapes") from None
    except ValueError:
        raise MalformedError("a number is too large", "write a smaller one or null") from None
    return value


def _too_deep() -> MalformedError:
    return MalformedError(f"values are nested more than {MOST_NESTED} deep", "nest them less")


def _parts(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise MalformedError(f"the key {key} appears twice", "leave one of them out")
        found[key] = value
    return found


def _no_number(text: str) -> Any:
    raise MalformedError(f"{text} is not a number of JSON", "write a number or null")


def _integer(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:
        shown = digits if len(digits) <= _LONGEST_SHOWN else f"{digits[:_LONGEST_SHOWN]}…"
        raise MalformedError(f"{shown!r} has too many digits for a number") from None
