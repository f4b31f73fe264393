"""Events that other deployments start from: what was finished, where it lies."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from difsims_core.messages import first_line
from flows.ui.flow_context import run_at_work, server_address
from flows.ui.run_log import log

if TYPE_CHECKING:
    from prefect.events import Event, RelatedResource


def announce(
    kind: str,
    id: str,  # noqa: A002 - what everything here is known by
    store: str,
    *,
    labels: Mapping[str, str] = {},
    payload: Mapping[str, Any] | None = None,
) -> None:
    """Emit the event ``difsims.<kind>``; it has reached the server when this returns.

    Nothing is emitted where there is no Prefect API. What cannot be delivered is a warning in the run's log: the work
    itself is done.

    Parameters
    ----------
    kind
        What happened: ``dataset.complete``, ``model.trained``, ``champion.promoted``, ``predictions.written``,
        ``evaluations.written``, ``experiment.found``, ``experiment.preprocessed``. The noun before the dot names
        the resource.
    id
        Of the dataset, model or experiment.
    store
        Root URL of the store.
    labels
        More of the resource; triggers match them and put them into parameters.
    payload
        Details, plain JSON values.
    """
    if run_at_work() is None and server_address() is None:
        return
    try:
        _deliver(_event(kind, id, store, labels, payload or {}))
    except Exception as error:  # noqa: BLE001 - whatever keeps the event from the server, the run goes on
        warn(
            f"the event difsims.{kind} of {id} was not delivered ({type(error).__name__}: {first_line(error)}); "
            "what it would have started must be started by hand"
        )


def warn(text: str) -> None:
    """Tell the run's log of something that went wrong and does not end the run."""
    log(logging.WARNING, text)


def _event(kind: str, name: str, store: str, labels: Mapping[str, str], payload: Mapping[str, Any]) -> Event:
    from prefect.events import Event

    resource = {
        "prefect.resource.id": f"difsims.{kind.partition('.')[0]}.{name}",
        "prefect.resource.name": name,
        "difsims.id": name,
        "difsims.store": store,
    }
    return Event.model_validate(
        {
            "event": f"difsims.{kind}",
            "resource": resource | dict(labels),
            "related": _run_at_work(),
            "payload": dict(payload),
        }
    )


def _run_at_work() -> list[RelatedResource]:
    """Return the flow run that emits, so that its page shows the event."""
    from prefect.events import RelatedResource

    context = run_at_work()
    if context is None or context.flow_run is None:
        return []
    return [
        RelatedResource(
            {
                "prefect.resource.id": f"prefect.flow-run.{context.flow_run.id}",
                "prefect.resource.role": "flow-run",
                "prefect.resource.name": context.flow_run.name,
            }
        )
    ]


def _deliver(event: Event) -> None:
    """Send an event in a request of its own.

    Prefect's own ``emit_event`` leaves it to a thread that a process may not outlive, and tells of no failure.
    """
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        client.request("POST", "/events", json=[event.model_dump(mode="json")])
