"""How a run ends that has found nothing to do, or everything done: well, and under a name that says so."""

from __future__ import annotations

from typing import TypeVar, cast

from flows.ui.flow_context import run_at_work

T = TypeVar("T")


def nothing_new(value: T, message: str) -> T:
    """Return a final state that says there was nothing to do; whoever called the flow gets ``value``."""
    if run_at_work() is None:
        return value
    from prefect.states import Completed

    return cast("T", Completed(name="Nothing new", message=message, data=value))


def reused(value: T, message: str) -> T:
    """Return a final state that says it was there already; whoever called the flow gets ``value``."""
    context = run_at_work()
    if context is None:
        return value
    from prefect.client.orchestration import get_client
    from prefect.states import Completed

    if context.flow_run is not None:
        with get_client(sync_client=True) as client:
            client.update_flow_run(context.flow_run.id, name=f"{context.flow_run.name} (reused)")
    return cast("T", Completed(name="Reused", message=message, data=value))


def cached(value: T, message: str) -> T:
    """Return the final state of a task whose work was done before; outside a flow run, the value itself."""
    if run_at_work() is None:
        return value
    from prefect.states import Completed

    return cast("T", Completed(name="Cached", message=message))
