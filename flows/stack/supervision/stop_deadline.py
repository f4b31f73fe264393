"""The latest moment at which a stack is gone: what has not stopped in order by then is killed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread

from flows.stack.services.processes import described, end, stack_processes
from flows.stack.supervision.supervisor import Supervisor

_SECONDS_BETWEEN = 0.5
_FAILED = 1


@dataclass(frozen=True, slots=True)
class StopDeadline:
    """How long the end of a stack may take, from the signal on: a minute in all.

    Attributes
    ----------
    in_order : float
        Seconds until whatever is left of it is killed. `stop` gives each of its steps a part of them.
    to_die : float
        Seconds after that until this process leaves, whatever it still waits for.
    leave : callable
        Called then with the exit code.
    """

    in_order: float = 54
    to_die: float = 6
    leave: Callable[[int], object] = os._exit

    @contextmanager
    def kept(self, stop: Event, supervisor: Supervisor, stack: str, tell: Callable[[str], None]) -> Iterator[None]:
        """Keep the deadline in a thread: the main one may wait for a service that does not answer.

        Parameters
        ----------
        stop
            Set by the signal.
        supervisor
            Of the stack; killed first, or it would start again what is killed.
        stack
            Its id.
        tell
            Called with what was killed.
        """
        over = Event()

        def watch() -> None:
            while not stop.wait(_SECONDS_BETWEEN):
                if over.is_set():
                    return
            if over.wait(self.in_order):
                return
            tell(f"not stopped in order within {self.in_order:g} s, killed: {described(stack_processes(stack))}")
            process = supervisor.process()
            end([process] if process else [], 0)
            end(stack_processes(stack), 0)
            if not over.wait(self.to_die):
                self.leave(_FAILED)

        thread = Thread(target=watch, daemon=True, name="difsims-stop")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
