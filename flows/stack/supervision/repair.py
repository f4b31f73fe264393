"""What an earlier end without warning left in Prefect's records, put right while nothing runs.

Only for the stack's own server: elsewhere others may be at work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from flows.stack.api import PrefectApi
from flows.stack.records.folder import StackFolder
from flows.stack.services.programs import POOL

_WITH_PROCESS = ["RUNNING", "PENDING", "CANCELLING"]
_STOPPED = "the stack was stopped while it ran. What it finished is kept, run it again"


def forget_leases(folder: StackFolder) -> None:
    """Remove the leases of slots; before the server starts, for it would count an old one against a new holder."""
    if folder.leases.is_dir():
        for path in folder.leases.iterdir():
            path.unlink(missing_ok=True)


def repair_records(api: PrefectApi) -> list[str]:
    """End runs that no process belongs to, free their slots, drop scheduled runs that were missed; say what was done.

    Of the missed runs of a schedule the latest stays: a nightly retraining that was missed happens in the morning, the
    sixty looks for new experiments of an hour do not.
    """
    done = []
    lost = pool_runs(api, _WITH_PROCESS)
    for run in lost:
        crash(api, run, _STOPPED)
    if lost:
        done.append(f"{len(lost)} runs that an earlier stop interrupted are marked Crashed: {_names(lost)}")
    held = [limit for limit in api.all("/v2/concurrency_limits/filter", {}) if limit["active_slots"]]
    for limit in held:
        api.patch(f"/v2/concurrency_limits/{limit['id']}", {"active_slots": 0})
    if held:
        done.append(f"slots without a holder are released: {', '.join(limit['name'] for limit in held)}")
    missed = _missed(pool_runs(api, ["SCHEDULED"]))
    for run in missed:
        api.delete(f"/flow_runs/{run['id']}")
    if missed:
        done.append(f"{len(missed)} missed scheduled runs are dropped; the latest of each schedule will run")
    return done


def crash_interrupted(api: PrefectApi, ids: Iterable[str]) -> list[str]:
    """Record that runs whose processes were just stopped crashed; return the names of those to run again."""
    names = []
    for run_id in ids:
        run = api.get(f"/flow_runs/{run_id}")
        if run is None or run["state"]["type"] in {"COMPLETED", "FAILED", "CANCELLED"}:
            continue
        if not run["auto_scheduled"]:  # the next one of a schedule comes by itself
            names.append(run["name"])
        if run["state"]["type"] in _WITH_PROCESS:
            crash(api, run, _STOPPED)
    return names


def crash(api: PrefectApi, run: dict[str, Any], message: str) -> None:
    """Record that a run has ended without a word: as cancelled where that was wanted, as crashed otherwise."""
    name = "Cancelled" if run["state"]["type"] == "CANCELLING" else "Crashed"
    state = {"type": name.upper(), "name": name, "message": message}
    api.post(f"/flow_runs/{run['id']}/set_state", {"state": state})


def pool_runs(api: PrefectApi, states: list[str]) -> list[dict[str, Any]]:
    """Return the runs of the work pool in some states (types), the latest first."""
    body = {
        "flow_runs": {"state": {"type": {"any_": states}}},
        "work_pools": {"name": {"any_": [POOL]}},
        "sort": "EXPECTED_START_TIME_DESC",
    }
    return api.all("/flow_runs/filter", body)


def _missed(scheduled: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the runs of schedules whose time has passed, without the latest of each deployment."""
    limit = datetime.now(UTC) - timedelta(seconds=30)
    late = [run for run in scheduled if run["auto_scheduled"] and _time(run["expected_start_time"]) < limit]
    seen: Counter[str] = Counter()
    missed = []
    for run in late:  # latest first
        seen[run["deployment_id"]] += 1
        if seen[run["deployment_id"]] > 1:
            missed.append(run)
    return missed


def _time(text: str | None) -> datetime:
    return datetime.fromisoformat(text) if text else datetime.min.replace(tzinfo=UTC)


def _names(runs: list[dict[str, Any]]) -> str:
    names = [run["name"] for run in runs[:5]]
    return ", ".join(names) + (" …" if len(runs) > 5 else "")
