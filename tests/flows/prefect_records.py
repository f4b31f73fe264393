"""What the Prefect server remembers of runs, for tests."""

from __future__ import annotations

import time

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowRunFilter,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import Artifact, FlowRun, TaskRun
from prefect.client.schemas.sorting import FlowRunSort


def latest_run(flow_name: str) -> FlowRun:
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_filter=FlowFilter(name={"any_": [flow_name]}), sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=1
        )
    return runs[0]


def runs_tagged(tag: str) -> list[FlowRun]:
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(
            flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=[tag])),
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
            limit=50,
        )


def task_runs_of(run: FlowRun) -> list[TaskRun]:
    """Return the task runs of a flow run; their events reach the server a moment later."""
    deadline = time.monotonic() + 20
    while True:
        with get_client(sync_client=True) as client:
            body = {"flow_runs": {"id": {"any_": [str(run.id)]}}, "limit": 200}
            found = [
                TaskRun.model_validate(item) for item in client.request("POST", "/task_runs/filter", json=body).json()
            ]
        if time.monotonic() > deadline or (found and all(item.state and item.state.is_final() for item in found)):
            return found
        time.sleep(0.2)


def artifacts_of(run: FlowRun) -> dict[str, Artifact]:
    # The client's own read_artifacts sends nulls that this server refuses (Prefect 3.8.8).
    body = {"artifacts": {"flow_run_id": {"any_": [str(run.id)]}}, "limit": 200}
    with get_client(sync_client=True) as client:
        found = [
            Artifact.model_validate(item) for item in client.request("POST", "/artifacts/filter", json=body).json()
        ]
    return {artifact.key: artifact for artifact in found if artifact.key}
