"""Every error that the package raises on purpose.

A message says what was expected, what was found and what to do (one or two sentences, no traceback needed). What to do
is a field of its own, so that whoever shows an error can set it apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class DifsimsError(Exception):
    """Base of all errors raised on purpose.

    Attributes
    ----------
    problem : str
        What was expected and what was found.
    remedy : str
        What to do; empty where the problem says it, or nothing can be done.

    >>> str(DifsimsError("a.cif: no such file", "check the path"))
    'a.cif: no such file; check the path'
    """

    def __init__(self, problem: object = "", remedy: str = "") -> None:
        self.problem, self.remedy = str(problem), remedy
        super().__init__(f"{self.problem}; {remedy}" if remedy else self.problem)


class InputError(DifsimsError, ValueError):
    """Something handed in by the user cannot be used: a value, a file, a name."""


class MalformedError(InputError):
    """A text that is not plain YAML or JSON; the message says in one line where, what and what to do."""

    @classmethod
    def at(cls, line: int, problem: str, remedy: str = "") -> MalformedError:
        """Return the error for a problem in a line, counted from 1."""
        plain = " ".join(problem.split())  # names in it come from outside
        return cls(f"line {line}: {''.join(c if c.isprintable() else '?' for c in plain)}", remedy)


class SpecError(InputError):
    """A parameter document or a part of one is invalid."""


class CrystalError(InputError):
    """A crystal structure cannot be read or cannot be simulated."""


class ExperimentError(InputError):
    """A file of measured profiles, a prediction or a truth map does not hold what its contract says."""


class ModelError(InputError):
    """A model bundle cannot be used, or not on these data."""


class PartlyFailedError(DifsimsError):
    """Some items of a batch failed; all others are done, and their results are kept.

    Attributes
    ----------
    done : mapping
        What became of the others, by item.
    """

    def __init__(self, problem: object = "", remedy: str = "", done: Mapping[str, Any] | None = None) -> None:
        super().__init__(problem, remedy)
        self.done = dict(done or {})


class StoreError(DifsimsError):
    """The object store refused or failed. Temporary failures are worth another try."""


class MissingObjectError(StoreError):
    """The store answers, but holds nothing under this name."""


class StoreAccessError(StoreError):
    """The store refuses: credentials, a bucket that does not exist, a folder in the place of an object.

    Another try will not help.
    """


class StoreFullError(StoreError):
    """The store has no room left. Another try helps only where somebody frees space."""


class ChampionChangedError(StoreError):
    """Another process has changed the registry since it was read; read it again and decide again."""


class RetentionRefusedError(DifsimsError):
    """Something would be deleted that nobody can be shown to want deleted; nothing was."""


class IncompleteDatasetError(StoreError):
    """A dataset without its completion record; it may still be growing, or its writer was stopped."""


class CorruptDataError(StoreError):
    """Stored bytes differ from what their receipt or contract says."""
