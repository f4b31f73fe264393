"""Typed access to an old document, and what there is to say about it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from difsims_core.errors import SpecError

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that whoever converts a document must know.

    Attributes
    ----------
    key
        The old key, or what else it is about.
    text
        What it meant, what stands here for it, and what to do.
    """

    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.key}: {self.text}"


@dataclass(slots=True)
class OldDocument:
    """Plain values of the legacy form; reading a key checks its kind.

    Attributes
    ----------
    values
        Sections of the document.
    source
        What errors call it.
    findings
        What there is to say so far.
    absent
        Keys that were asked for and are not there.
    """

    values: Mapping[str, Any]
    source: str
    findings: list[Finding] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    def warn(self, key: str, text: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(key, text))

    def wrong(self, key: str, problem: str) -> SpecError:
        """Return the error for a key that cannot be used."""
        return SpecError(f"{self.source}: {key}: {problem}")

    def has(self, key: str) -> bool:
        """Return whether a dotted key is there."""
        return self._find(key) is not _ABSENT

    def value(self, key: str, default: Any = None) -> Any:
        """Return what stands under a dotted key; a key that is not there is remembered as absent."""
        found = self._find(key)
        if found is _ABSENT:
            self.absent.append(key)
            return default
        return found

    def truth(self, key: str, default: bool) -> bool:
        """Return a truth value."""
        found = self.value(key, default)
        if not isinstance(found, bool):
            raise self.wrong(key, f"expected true or false, found {found!r}")
        return found

    def mode(self, key: str) -> bool | str:
        """Return true (all combinations), false or ``random``; false when it is absent."""
        found = self.value(key, False)
        if found is None or isinstance(found, bool) or found == "random":
            return found or False
        raise self.wrong(key, f"expected true, false or 'random', found {found!r}")

    def number(self, key: str) -> float | None:
        """Return a finite number; ``None`` when it is absent or null."""
        found = self.value(key)
        return None if found is None else self._number(key, found)

    def whole(self, key: str) -> int | None:
        """Return a whole number; ``None`` when it is absent or null."""
        found = self.number(key)
        if found is not None and found != int(found):
            raise self.wrong(key, f"expected a whole number, found {found:g}")
        return None if found is None else int(self.value(key))

    def numbers(self, key: str) -> list[float]:
        """Return a list of finite numbers, empty when it is absent; a bare number is a list of one."""
        found = self.value(key)
        if found is None:
            return []
        items = found if isinstance(found, list) else [found]
        if not items:
            raise self.wrong(key, "expected at least one number, found an empty list")
        return [self._number(key, item) for item in items]

    def texts(self, key: str) -> list[str]:
        """Return a list of texts, empty when it is absent; a bare text is a list of one."""
        found = self.value(key)
        items = found if isinstance(found, list) else [] if found is None else [found]
        if not all(isinstance(item, str) and item for item in items):
            raise self.wrong(key, f"expected a list of names, found {found!r}")
        return items

    def _number(self, key: str, item: Any) -> float:
        if isinstance(item, str):
            hint = "; a comma is missing" if len(item.split()) > 1 else "; write it without quotes"
            raise self.wrong(key, f"expected a number, found {item!r}{hint}")
        if isinstance(item, bool) or not isinstance(item, int | float) or not math.isfinite(item):
            raise self.wrong(key, f"expected a number, found {item!r}")
        return float(item)

    def _find(self, key: str) -> Any:
        node: Any = self.values
        parts = key.split(".")
        for i, part in enumerate(parts):
            if not isinstance(node, Mapping):
                raise self.wrong(".".join(parts[:i]), f"expected keys and values below it, found {node!r}")
            if part not in node:
                return _ABSENT
            node = node[part]
        return node
