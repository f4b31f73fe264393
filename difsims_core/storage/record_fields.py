"""Fields of a record by kind: each is what it should be, or the record is refused, with the field named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from difsims_core.errors import CorruptDataError

_SHA256 = re.compile("[0-9a-f]{64}")
_MOST = 2**53  # larger integers are not the same in every reader of JSON
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Fields:
    """The document of a record that is being read.

    Attributes
    ----------
    document
        As `read_json` gave it.
    where : str
        Whose it is, for errors.
    """

    document: Mapping[str, Any]
    where: str

    def text(self, name: str) -> str:
        """Return a text that is not empty."""
        value = self._value(name)
        return value if isinstance(value, str) and value else self._refuse(name, "a text")

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self._value(name)
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            self._refuse(name, "a list of texts")
        return tuple(value)

    def count(self, name: str, least: int = 0) -> int:
        """Return a whole number."""
        value = self._value(name)
        return value if _is_count(value, least) else self._refuse(name, f"a whole number from {least} on")

    def counts(self, name: str) -> dict[str, int]:
        """Return whole numbers by name."""
        value = self._value(name)
        if not isinstance(value, dict) or not all(_is_count(item, 0) for item in value.values()):
            self._refuse(name, "whole numbers by name")
        return value

    def sha256(self, name: str) -> str:
        """Return a checksum."""
        value = self._value(name)
        return value if is_sha256(value) else self._refuse(name, "64 hexadecimal digits")

    def checksums(self, name: str) -> dict[str, str]:
        """Return checksums by name."""
        value = self._value(name)
        if not isinstance(value, dict) or not all(map(is_sha256, value.values())):
            self._refuse(name, "64 hexadecimal digits by name")
        return value

    def shapes(self, name: str) -> dict[str, list[int]]:
        """Return lists of whole numbers by name."""
        value = self._value(name)
        whole = isinstance(value, dict) and all(isinstance(item, list) for item in value.values())
        if not whole or not all(_is_count(size, 0) for item in value.values() for size in item):
            self._refuse(name, "lists of whole numbers by name")
        return value

    def date(self, name: str) -> str:
        """Return a date and time, as it is written."""
        value = self._value(name)
        try:
            datetime.fromisoformat(value)
        except (TypeError, ValueError):
            self._refuse(name, "a date such as 2026-01-31T12:00:00+00:00")
        return value

    def _value(self, name: str) -> Any:
        if not isinstance(self.document, Mapping):
            raise CorruptDataError(f"{self.where}: expected names and values, found another document", "restore it")
        if name not in self.document:
            raise CorruptDataError(f"{self.where}: expected {name}, found none", "it was damaged, restore it")
        return self.document[name]

    def _refuse(self, name: str, expected: str) -> Any:
        shown = ascii(self.document[name])
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
        raise CorruptDataError(
            f"{self.where}: {name}: expected {expected}, found {shown}", "it was damaged, restore it"
        )


def is_sha256(value: Any) -> bool:
    """Return whether a value is a checksum: 64 hexadecimal digits."""
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _is_count(value: Any, least: int) -> bool:
    return type(value) is int and least <= value <= _MOST
