"""Watching over a stack while it is up."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

from flows.stack.errors import StackError
from flows.stack.supervision.orphaned_runs import SECONDS_BETWEEN_CHECKS, OrphanedRuns
from flows.stack.supervision.supervisor import ProgramState, Supervisor

SECONDS_BETWEEN = 2.0

Tell = Callable[[str], None]


def watch_over(supervisor: Supervisor, lost: OrphanedRuns | None, stop: Event, tell: Tell) -> None:
    """Tell of programs that died and runs that lost their process, until ``stop`` is set.

    Parameters
    ----------
    supervisor
        Of the stack; it starts again what dies.
    lost
        Looks for such runs; None where the runs of others cannot be told from those of this machine.
    stop
        Set when the watch is over.
    tell
        Called with each line.

    Raises
    ------
    StackError
        If the supervisor itself is gone.
    """
    deaths = _Deaths(supervisor, tell)
    next_look = time.monotonic() + SECONDS_BETWEEN_CHECKS
    while not stop.wait(SECONDS_BETWEEN):
        try:
            states = supervisor.states()
        except StackError as error:
            raise StackError(f"{error}", "what is left is stopped, the same command starts it anew") from None
        deaths.compare(states)
        if lost is not None and time.monotonic() >= next_look:
            _tell_of_lost(lost, tell)
            next_look = time.monotonic() + SECONDS_BETWEEN_CHECKS


class _Deaths:
    """Programs as they were last seen."""

    def __init__(self, supervisor: Supervisor, tell: Tell) -> None:
        self._supervisor, self._tell = supervisor, tell
        self._known = {name: state.pid for name, state in supervisor.states().items()}
        self._given_up: set[str] = set()

    def compare(self, states: dict[str, ProgramState]) -> None:
        """Tell what has changed."""
        for name, state in states.items():
            if state.pid and state.pid != self._known[name]:
                self._tell(f"{name} died and was restarted; see {self._supervisor.log_file(name)}")
                self._known[name] = state.pid
                self._given_up.discard(name)
            if state.state == "FATAL" and name not in self._given_up:
                self._given_up.add(name)
                self._tell(f"{name} keeps crashing and was given up:\n{self._supervisor.last_lines(name)}")


def _tell_of_lost(lost: OrphanedRuns, tell: Tell) -> None:
    try:
        names = lost.look()
    except StackError:
        return  # a server that is just being started again; there is a next look
    for name in names:
        tell(f"{name} lost its process and is marked Crashed; run it again to resume")
