"""The end of a stack: everything stops in order, and then it is checked that nothing is left.

No step takes longer than its part of `StopDeadline.in_order`: what does not stop by itself is killed.
"""

from __future__ import annotations

from collections.abc import Callable

from flows.stack.api import PrefectApi
from flows.stack.errors import StackError
from flows.stack.services.processes import described, end, flow_runs, stack_processes
from flows.stack.supervision import repair
from flows.stack.supervision.supervisor import Supervisor

FLOW_SECONDS, SUPERVISOR_SECONDS = 10, 3

Tell = Callable[[str], None]


def stop_flow_runs(supervisor: Supervisor, stack: str, api: PrefectApi, tell: Tell) -> None:
    """Stop the flow runs at work, then the worker, and see to it that the server knows of it.

    Prefect's worker kills its runs when it ends, and they would stay "Running" for ever.
    """
    first = flow_runs(stack_processes(stack))
    end((process for group in first.values() for process in group), FLOW_SECONDS)
    later = flow_runs(stack_processes(stack))  # begun meanwhile
    supervisor.stop_program("worker")
    try:
        names = repair.crash_interrupted(api, {**first, **later})
    except StackError:
        return  # without a server there is nobody to tell; the next start puts its records right
    if names:
        tell(f"interrupted: {', '.join(names)}; what they finished is kept, run them again to resume")


def stop_programs(supervisor: Supervisor, stack: str, seconds: float, tell: Tell) -> None:
    """Stop what still runs, the server before the store, and check that nothing is left.

    Parameters
    ----------
    supervisor
        Of the stack.
    stack
        Its id.
    seconds
        How long the programs may take together.
    tell
        Called with what did not go by the book.

    Raises
    ------
    StackError
        If a process cannot be ended.
    """
    process = supervisor.process()
    # supervisord stops its programs one after the other, the last one first.
    if process is not None and end([process], seconds + SUPERVISOR_SECONDS):
        tell("supervisord did not stop in time and was killed")
    left = stack_processes(stack)
    if left:
        tell(f"still running after the stop, ended by process id: {described(left)}")
        end(left)
    left = stack_processes(stack)
    if left:
        raise StackError(f"these processes cannot be stopped: {described(left)}", "end them by hand (kill -9)")
