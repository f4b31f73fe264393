"""The end of a stack: everything stops in order, and then it is checked that nothing is left."""

from __future__ import annotations

import psutil

from flows.stack.errors import StackError
from flows.stack.processes import described, end, orphans, stack_processes
from flows.stack.supervisor import Supervisor

_MARGIN_SECONDS = 20


def stop_stack(supervisor: Supervisor, stack: str, seconds: float) -> list[str]:
    """Stop the worker, then the server, then S3, and return what had to be said about it.

    Parameters
    ----------
    supervisor
        Of the stack.
    stack
        Its id.
    seconds
        How long the programs may take together.

    Raises
    ------
    StackError
        If a process cannot be ended.
    """
    notes = []
    process = supervisor.process()
    # A flow run whose worker was killed: now its server still listens, and it can say that it was stopped.
    end(orphans(stack, process))
    if process is not None:
        process.terminate()  # supervisord stops its programs one after the other, the last one first
        try:
            process.wait(seconds + _MARGIN_SECONDS)
        except psutil.TimeoutExpired:
            notes.append("supervisord did not end in time and was killed")
            process.kill()
            process.wait()
    left = stack_processes(stack)
    if left:
        notes.append(f"still there after the stop, ended by process id: {described(left)}")
        end(left)
    left = stack_processes(stack)
    if left:
        raise StackError(f"these processes cannot be ended: {described(left)}; end them by hand (kill -9)")
    return notes
