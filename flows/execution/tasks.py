"""Steps as tasks of Prefect: shown in its timeline, and tried again while the store fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flows.execution.no_persistence import task
from flows.execution.retries import tell_waiting, worth_waiting

if TYPE_CHECKING:
    from prefect import Task
    from prefect.client.schemas.objects import State, TaskRun

    from difsims_core.retrying import Retry


def task_of(
    function: Callable[..., Any], name: str, retry: Retry, run_name: str | Callable[[], str] | None = None
) -> Task[..., Any]:
    """Return a core function as a task; its value stays in this process. For the parameters see ``steps.Step``."""
    pauses = retry.longest_pauses

    def is_temporary(_task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
        """Return whether a task that failed is worth another try; say that it waits for that."""
        error = state.data
        if not isinstance(error, Exception) or not worth_waiting(error):
            return False
        number = min(run.run_count, len(pauses)) - 1
        tell_waiting(name, error, pauses[number], len(pauses) - number)
        return True

    return task(
        function,
        name,
        retries=len(pauses),
        retry_delay_seconds=pauses,
        retry_condition_fn=is_temporary,
        **({} if run_name is None else {"task_run_name": run_name}),
    )
