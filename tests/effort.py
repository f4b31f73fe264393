"""How much a run tries: a share of the random cases on most submissions, another one each time, all on a full run.

The controller of the tests says it through the environment, which the processes that it starts inherit; without it,
as with the tests in one process, a run is of the small kind.
"""

from __future__ import annotations

import os

from hypothesis import settings

from tests.selection import FULL_EVERY, Selection

_FULL, _TURN = "DIFSIMS_TESTS_FULL", "DIFSIMS_TESTS_TURN"
_LEAST_EXAMPLES = 10


def announce(selection: Selection, commits: int | None) -> None:
    """Tell this process, and those that it starts, what kind of run this is."""
    os.environ[_FULL] = "yes" if selection.full else ""
    os.environ[_TURN] = str((commits or 0) % FULL_EVERY)


def is_full() -> bool:
    """Return whether everything is tried."""
    return bool(os.environ.get(_FULL))


def cases(number: int) -> range:
    """Return which of so many numbered cases are tried: all, or every fifth, others with the next commit."""
    return range(number) if is_full() else range(int(os.environ.get(_TURN, "0")), number, FULL_EVERY)


def either(few: int, many: int) -> int:
    """Return how often something slow is done, as a real process killed: a few times, or many times on a full run."""
    return many if is_full() else few


def load_profile() -> None:
    """Tell Hypothesis how hard to look where a test does not say it: profile ``ci``, or ``full``."""
    settings.register_profile("ci", max_examples=25, deadline=None)
    settings.register_profile("full", max_examples=100, deadline=None)
    settings.load_profile("full" if is_full() else "ci")


def examples(number: int) -> int:
    """Return how many examples a test takes that needs another number than its profile has."""
    return number if is_full() else max(_LEAST_EXAMPLES, number // 4)
