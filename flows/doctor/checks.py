"""What a check is, what it finds, and the register of all checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Literal

from difsims_core.plugins import Family

Status = Literal["ok", "warn", "fail"]

_NUMBERS = count()


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    name : str
        The check.
    status : str
        ``ok``; ``warn``: runs work, but something will be missed, or is open to others; ``fail``: runs will fail, or
        what is meant to be closed is open.
    found : str
        What is there; never a secret.
    remedy : str
        What to do about it; empty when all is well.
    """

    name: str
    status: Status
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check says, before its name is put to it; None instead of an answer: it does not apply here."""

    status: Status
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class DoctorContext:
    """What is examined.

    Attributes
    ----------
    store : str, optional
        Root URL of the store; None: ``DIFSIMS_STORE``, or a folder here.
    """

    store: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One question and how to ask it.

    Attributes
    ----------
    name : str
        What is looked at, in few words.
    ask : callable
        Takes a `DoctorContext` and returns a `CheckResult`, or None when the question does not apply.
    seconds : float
        Time limit.
    after : str
        A check that must not fail before this one makes sense; empty: none.
    number : int
        Place among those of its file.
    """

    name: str
    ask: Callable[[DoctorContext], CheckResult | None]
    seconds: float
    after: str
    number: int


CHECKS: Family[Check] = Family("check")


def check(
    name: str, *, seconds: float = 20.0, after: str = ""
) -> Callable[[Callable[[DoctorContext], CheckResult | None]], Callable[[DoctorContext], CheckResult | None]]:
    """Return a decorator that registers a function as a check."""

    def add(ask: Callable[[DoctorContext], CheckResult | None]) -> Callable[[DoctorContext], CheckResult | None]:
        CHECKS.register(name)(Check(name, ask, seconds, after, next(_NUMBERS)))
        return ask

    return add


def ok(found: str) -> CheckResult:
    """Return the answer that all is well."""
    return CheckResult("ok", found)


def warn(found: str, remedy: str) -> CheckResult:
    """Return the answer that something will be missed, or is open to others."""
    return CheckResult("warn", found, remedy)


def fail(found: str, remedy: str) -> CheckResult:
    """Return the answer that runs will fail, or that what is meant to be closed is open."""
    return CheckResult("fail", found, remedy)
