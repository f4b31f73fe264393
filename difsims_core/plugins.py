"""Named members of a family: networks, metrics, augmentations, store schemes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Generic, TypeVar

from difsims_core.errors import InputError

T = TypeVar("T")

_LONGEST_NAME = 200


def nearest(name: str, choices: Iterator[str] | list[str]) -> str:
    """Return ``", did you mean 'x'?"`` for the nearest of the choices, or an empty string."""
    if len(name) > _LONGEST_NAME:
        return ""  # difflib compares every letter with every other
    close = get_close_matches(name, [choice for choice in choices if len(choice) <= _LONGEST_NAME], n=1, cutoff=0.5)
    return f", did you mean {close[0]!r}?" if close else ""


class Family(Generic[T]):
    """Members of one family by name; a failed look-up lists the choices.

    Parameters
    ----------
    kind
        What a member is, in the singular, for error messages ("network").
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._members: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that adds its argument under ``name``; a name is taken once."""

        def add(member: T) -> T:
            if name in self._members:
                raise InputError(f"the {self.kind} {name!r} is registered already", "choose another name")
            self._members[name] = member
            return member

        return add

    def __getitem__(self, name: str) -> T:
        if name not in self._members:
            choices = ", ".join(self.names())
            raise InputError(f"no {self.kind} is called {name!r}{nearest(name, self.names())} (choices: {choices})")
        return self._members[name]

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted(self._members)
