"""What a word of YAML without quotes stands for, by the core schema of YAML 1.2 (§10.3.2): text, unless it is below.

ruamel.yaml's own rules for 1.2 keep much of 1.1: ``1_000`` and ``0b11`` are numbers, ``2020-01-01`` is a date, and
``.5e3`` is text. Reading and writing share these rules, so that what is written without quotes is read as what it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.resolver import VersionedResolver
from ruamel.yaml.tag import Tag

_LONGEST_INTEGER = 3500  # digits of any base; Python writes out no integer of more than 4300 decimal ones
YAML_ORG = "tag:yaml.org,2002:"
TEXT = f"{YAML_ORG}str"
MERGE = f"{YAML_ORG}merge"
_WORDS: Mapping[str, re.Pattern[str]] = {
    "null": re.compile("null|Null|NULL|~|"),
    "bool": re.compile("true|True|TRUE|false|False|FALSE"),
    "int": re.compile("[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    "float": re.compile(
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    ),
    "merge": re.compile("<<"),  # of 1.1: known so that it is refused, and written in quotes
}


class CoreResolver(VersionedResolver):
    """The rules in the form that ruamel.yaml asks for, of its reader as of its writer."""

    def resolve(self, kind: type, value: str | None, implicit: Any) -> Tag:
        """Return the tag of a node that has none; ``implicit[0]``: it is written without quotes."""
        if kind is not ScalarNode or not implicit[0] or value is None:
            return super().resolve(kind, value, (False, False))
        names = (name for name, words in _WORDS.items() if words.fullmatch(value))
        return Tag(suffix=YAML_ORG + next(names, "str"))


def _integer(word: str) -> int:
    digits = word.replace("_", "").lower()
    if len(digits) > _LONGEST_INTEGER:
        raise ValueError("an integer that no computer reads as a number")
    base = {"0o": 8, "0x": 16, "0b": 2}.get(digits.lstrip("+-")[:2], 10)
    return int(digits, base)


def _number(word: str) -> float:
    digits = word.replace("_", "").lower()
    return float(digits.replace(".", "") if digits.lstrip("+-") in (".inf", ".nan") else digits)


VALUES: Mapping[str, Callable[[str], Any]] = {
    f"{YAML_ORG}null": lambda word: {"": None, "~": None, "null": None}[word.lower()],
    f"{YAML_ORG}bool": lambda word: {"true": True, "false": False}[word.lower()],
    f"{YAML_ORG}int": _integer,
    f"{YAML_ORG}float": _number,
    TEXT: str,
}
"""Values of words, by tag; one that does not fit its tag ends in a ``KeyError`` or ``ValueError``."""
