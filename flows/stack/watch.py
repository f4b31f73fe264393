"""Watching over the programs of a stack while it is up."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from flows.stack.errors import StackError
from flows.stack.supervisor import Supervisor

_SECONDS_BETWEEN = 2.0


def watch_over(supervisor: Supervisor, stop: Event, tell: Callable[[str], None]) -> None:
    """Tell of programs that died and were started again, until ``stop`` is set.

    Parameters
    ----------
    supervisor
        Of the stack; it starts again what dies.
    stop
        Set when the watch is over.
    tell
        Called with each line.

    Raises
    ------
    StackError
        If the supervisor itself is gone.
    """
    known = {name: state.pid for name, state in supervisor.states().items()}
    given_up: set[str] = set()
    while not stop.wait(_SECONDS_BETWEEN):
        try:
            states = supervisor.states()
        except StackError as error:
            if stop.is_set():
                return
            raise StackError(f"{error}; what is left is stopped, the same command starts it anew") from None
        for name, state in states.items():
            if state.pid and state.pid != known[name]:
                tell(f"{name} had died and was started again; see {supervisor.log_file(name)}")
                known[name] = state.pid
                given_up.discard(name)
            if state.state == "FATAL" and name not in given_up:
                given_up.add(name)
                tell(f"{name} dies again and again and is given up:\n{supervisor.last_lines(name)}")
