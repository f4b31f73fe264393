"""Named members of a kind: our own, and those that other installed packages offer by an entry point.

Names are known without importing anything; a member is imported when it is first asked for.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from difsims_core.errors import InputError
from difsims_core.messages import first_line

T = TypeVar("T")

_log = logging.getLogger(__name__)
_LONGEST_NAME = 200


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return ``", did you mean 'x'?"`` for the nearest of the choices, or an empty string."""
    if len(name) > _LONGEST_NAME:
        return ""  # difflib compares every letter with every other
    close = get_close_matches(name, [choice for choice in choices if len(choice) <= _LONGEST_NAME], n=1, cutoff=0.5)
    return f", did you mean {close[0]!r}?" if close else ""


class Family(Generic[T]):
    """Members of one kind by name; a failed look-up lists the choices.

    Parameters
    ----------
    kind
        What a member is, in the singular, for error messages ("network").
    group
        Entry points by which other packages offer members (``difsims.networks``); empty: nobody else has any.
    own
        Where our own members are defined, ``module:attribute`` by name.
    base
        The class, ``module:attribute``, that members of other packages must be instances of, or classes derived from;
        empty: anything callable.

    Attributes
    ----------
    loaded : dict of str to member
        Those in memory, by name: registered, or imported when they were asked for.
    """

    def __init__(self, kind: str, group: str = "", own: Mapping[str, str] | None = None, base: str = "") -> None:
        self.kind, self.group = kind, group
        self._own, self._base = dict(own or {}), base
        self.loaded: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that adds its argument under ``name``; a name is taken once."""

        def add(member: T) -> T:
            if name in self.loaded or name in self._own:
                raise InputError(f"the {self.kind} {name!r} is registered already", "choose another name")
            self.loaded[name] = member
            return member

        return add

    def __getitem__(self, name: str) -> T:
        """Return a member; it is imported when it was not yet.

        Raises
        ------
        InputError
            If there is none of this name, several packages offer one, or the one that is offered cannot be used.
        """
        self.check(name)
        if name not in self.loaded:
            own = self._own.get(name)
            self.loaded[name] = _load(own) if own else self._loaded(name)
        return self.loaded[name]

    def __contains__(self, name: str) -> bool:
        return name in self.loaded or name in self._own or name in self._offers()

    def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted({*self.loaded, *self._own, *self._offers()})

    def check(self, name: str, *, others: Iterable[str] = ()) -> None:
        """Refuse a name that no member has, without importing any.

        Parameters
        ----------
        name
            Of a member.
        others
            What else could be meant, for the error.

        Raises
        ------
        InputError
            With the nearest name and all choices.
        """
        if name in self:
            return
        names = sorted({*self.names(), *others})
        choices = f"{nearest(name, names)} (choices: {', '.join(names) or 'none'})"
        elsewhere = f"; one of another package must be installed ({self.group})" if self.group else ""
        raise InputError(f"no {self.kind} is called {name!r}{choices}{elsewhere}")

    def package(self, name: str) -> str | None:
        """Return name and version of the package that offers a member; None for one of our own."""
        if name in self._own or name not in self._offers():
            return None
        return _package(self._offers()[name][0])

    def _offers(self) -> Mapping[str, list[EntryPoint]]:
        return _offered(self.group, frozenset(self._own), tuple(sys.path)) if self.group else {}

    def _loaded(self, name: str) -> T:
        found = self._offers()[name]
        if len(found) > 1:
            raise InputError(
                f"the {self.kind} {name!r} is offered by {' and by '.join(map(_package, found))}; uninstall all but one"
            )
        where = f"the {self.kind} {name!r} of {_package(found[0])}"
        try:
            member = found[0].load()
        except Exception as error:
            raise InputError(
                f"{where} cannot be imported ({type(error).__name__}: {first_line(error)}); repair or uninstall it"
            ) from error
        if not (_is_a(member, _load(self._base)) if self._base else callable(member)):
            base = self._base.replace(":", ".")
            wanted = f"an instance or a subclass of {base}" if base else "something callable"
            raise InputError(f"{where}: expected {wanted}, found {str(member)[:100]}; repair or uninstall it")
        return member


@lru_cache(maxsize=64)  # reading the metadata of all packages takes a while; ``path`` says which are installed
def _offered(group: str, taken: frozenset[str], path: tuple[str, ...]) -> Mapping[str, list[EntryPoint]]:  # noqa: ARG001
    """Return the entry points of a group by name, of several packages where they agree on one.

    A name that is taken by a member of our own is left out, with a warning.
    """
    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=group):
        if entry.name in taken:
            _log.warning(
                "%s: its %r in %s is ignored, difsims has one of this name", _package(entry), entry.name, group
            )
        else:
            found.setdefault(entry.name, []).append(entry)
    return found


def _package(entry: EntryPoint) -> str:
    return "an unnamed package" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"


def _load(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute)


def _is_a(member: Any, base: type) -> bool:
    return isinstance(member, base) or (isinstance(member, type) and issubclass(member, base))
