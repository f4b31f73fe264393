"""Damaged and hostile JSON: well-formed documents of wrong values, and bytes that are none, sealed as a record is.

The checksum is made anew, for whoever can write a record can do so: it must not be what keeps a reader safe.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.attacks.npz_damage import changed_bytes

NAN, INFINITY = float("nan"), float("inf")
_TEXTS = (
    "", " ", "a\nb", "\x1b[2J\x07", "\x00", "\u202e", "\ud800", "../../../etc/passwd", "/etc/hostname",
    "file:///etc/hostname", "s3://other/bucket/key", "http://127.0.0.1:9/x", r"$\undefined{x}$", "[open](javascript:x)",
    "antigravity", "builtins:exec", "pickle", "a" * 20_000, "1970-01-01T00:00:00+00:00", "2099-01-01T00:00:00+00:00",
    "0000-00-00", "2026-01-01", "9999-12-31T23:59:59-23:59", "nan", "1e400", "sim-00000000-0000-4000-8000-000000000000",
    "cnn-00000000-0000-4000-8000-000000000000", "f" * 64, "true", "null", "None", "{}", "%s%n{0}", "__class__",
)  # fmt: skip
_NUMBERS = (
    0, -1, 1, 2, 255, 2**31, -(2**31), 2**53, 2**63, 2**64, 10**25, 10**400, -0.0, 0.5, 1e-320, 1e308, NAN, INFINITY,
    -INFINITY, True, False, None,
)  # fmt: skip
_TOKENS = (
    "NaN", "-Infinity", "1e999", "1" * 5000, "-", "0x10", "01", "'a'", '"\\ud800"', '"\\u0000"', "//", "[" * 60_000,
    '{"a":' * 30_000, "[" * 40 + "]" * 40, "\ufeff", "undefined", '"\\x41"', "1_000", "+1", ".5", "\x00",
)  # fmt: skip
_KEYS = (
    "format",
    "id",
    "__class__",
    "constructor",
    "sha256",
    "",
    "\x1b[2J",
    "a" * 5000,
    "extra",
    "\ud800",
    "zarr_format",
)


def odd_value(rng: np.random.Generator, like: Any = None) -> Any:
    """Return a value that does not belong here; sometimes one that nearly does."""
    texts = [_pick(rng, _TEXTS) for _ in range(3)]
    choices: list[Any] = [
        texts[0], texts[1], _pick(rng, _NUMBERS), _pick(rng, _NUMBERS), [], {}, [like], {"a": like}, [texts[0]] * 3,
        {texts[0]: texts[1]}, [like] * 1000, _deep(int(rng.integers(2, 80))), [[_pick(rng, _NUMBERS)]],
    ]  # fmt: skip
    match like:
        case str():
            choices += [like + texts[0], like[:-1], like.upper(), texts[0] + like, like[::-1], [like], list(like)] * 2
        case bool():
            choices += [not like, str(like)]
        case int() | float():
            as_float = float(like) if abs(like) < 2**1000 else INFINITY  # an odd value may be met again
            choices += [-like, like + 1, like * 10**6, str(like), as_float, [like], like - 1] * 2
        case list():
            choices += [like[::-1], like[:-1], like + like, like[0] if like else 0, dict.fromkeys(map(str, like))] * 2
        case dict():
            choices += [list(like), list(like.values()), {**like, "extra": 1}, {}] * 2
    return choices[int(rng.integers(len(choices)))]


def damaged_document(document: Any, rng: np.random.Generator) -> Any:
    """Return a copy in which up to three places hold something else, are gone, or are called otherwise."""
    holder = [copy.deepcopy(document)]
    for _ in range(int(rng.integers(1, 4))):
        parent, key = _place(holder, rng)
        match int(rng.integers(0, 6)) if parent is not holder else 5:
            case 0:
                del parent[key]
            case 1 if isinstance(parent, dict):
                parent[_pick(rng, _KEYS)] = parent.pop(key)
            case 2 if isinstance(parent, dict):
                parent[_pick(rng, _KEYS)] = odd_value(rng, parent[key])
            case 3:
                other, at = _place(holder, rng)
                parent[key] = copy.deepcopy(other[at])
            case _:
                parent[key] = odd_value(rng, parent[key])
    return holder[0]


def damaged_json(document: Any, rng: np.random.Generator, whole: bytes, *, sealed: bool = True) -> bytes:
    """Return the bytes of a damaged record; ``whole`` are those of the undamaged one."""
    kind = rng.random()
    if kind < 0.15:
        return changed_bytes(whole, rng)
    if kind < 0.2:
        return whole[: int(rng.integers(0, len(whole)))]
    if kind < 0.8:
        text = json.dumps(damaged_document(document, rng), indent=1, ensure_ascii=bool(rng.random() < 0.5))
        data = text.encode("utf-8", "surrogatepass")
    else:
        data = _DAMAGES[int(rng.integers(len(_DAMAGES)))](json.dumps(document, indent=1), rng)
    return sealed_bytes(data) if sealed else data


def sealed_bytes(data: bytes) -> bytes:
    """Put the checksum of a JSON text before it as `to_record` does, whatever text it is."""
    rest = data.removeprefix(b"{\n") if data.startswith(b"{\n") else data
    return b'{\n "sha256": "' + hashlib.sha256(rest).hexdigest().encode() + b'",\n' + rest


def _replaced(text: str, rng: np.random.Generator) -> bytes:
    """Put a token that is no value of JSON, or hardly one, in the place of a value."""
    lines = text.split("\n")
    at = int(rng.integers(len(lines)))
    lines[at] = lines[at].split(": ")[0] + ": " + _pick(rng, _TOKENS) + ","
    return "\n".join(lines).encode()


def _twice(text: str, rng: np.random.Generator) -> bytes:
    """Repeat a line: a key that is there twice."""
    lines = text.split("\n")
    at = int(rng.integers(1, max(2, len(lines) - 1)))
    return "\n".join([*lines[:at], lines[min(at, len(lines) - 1)], *lines[at:]]).encode()


def _more_behind(text: str, rng: np.random.Generator) -> bytes:
    return text.encode() + _pick(rng, (b"{}", b"\x00", b"\n\n", b"]", b'{"format": 1}', b"\xff\xfe"))


def _other_encoding(text: str, rng: np.random.Generator) -> bytes:
    return text.encode(_pick(rng, ("utf-16", "utf-32", "utf-8-sig", "utf-16-be", "cp037")))


def _only(_text: str, rng: np.random.Generator) -> bytes:
    return _pick(
        rng, (b"", b"null", b"[]", b"{}", b"0", b'"a"', b"true", b"\x00" * 100, b"[" * 200_000, b"{\n}", b"NaN")
    )


_DAMAGES: tuple[Callable[[str, np.random.Generator], bytes], ...] = (
    _replaced, _replaced, _replaced, _twice, _twice, _more_behind, _other_encoding, _only,
)  # fmt: skip


def _place(holder: list[Any], rng: np.random.Generator) -> tuple[Any, Any]:
    """Return a place somewhere within, as its parent and its key."""
    parent, key = holder, 0
    while True:
        value = parent[key]
        keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
        if not len(keys) or (parent is not holder and rng.random() < 0.35):
            return parent, key
        parent, key = value, keys[int(rng.integers(len(keys)))]


def _deep(depth: int) -> Any:
    value: Any = 0
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def _pick(rng: np.random.Generator, choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]
