"""What Prefect's server knows of flow runs, however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowRunFilter
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort

_PAGE = 200  # the most that Prefect's server gives at once


def find_runs(
    *, flow: str | None = None, ids: Sequence[UUID] = (), tags: Iterable[str] = (), unfinished: bool = False
) -> list[FlowRun]:
    """Return the runs that meet all that is asked for, those expected last first.

    Parameters
    ----------
    flow
        Name of their flow.
    ids
        They are among these.
    tags
        They have all of these.
    unfinished
        They wait or run.
    """
    wanted: dict[str, dict[str, object]] = {}
    if ids:
        wanted["id"] = {"any_": list(ids)}
    if tags:
        wanted["tags"] = {"all_": list(tags)}
    if unfinished:
        wanted["state"] = {"type": {"any_": sorted(set(StateType) - TERMINAL_STATES)}}
    flows = None if flow is None else FlowFilter.model_validate({"name": {"any_": [flow]}})
    found: dict[UUID, FlowRun] = {}  # new ones may push others onto the next page
    with get_client(sync_client=True) as client:
        for offset in count(step=_PAGE):
            page = client.read_flow_runs(
                flow_filter=flows,
                flow_run_filter=FlowRunFilter.model_validate(wanted),
                sort=FlowRunSort.EXPECTED_START_TIME_DESC,
                limit=_PAGE,
                offset=offset,
            )
            found |= {run.id: run for run in page}
            if len(page) < _PAGE:
                break
    return list(found.values())
