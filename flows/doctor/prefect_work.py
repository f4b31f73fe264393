"""What unattended work needs on the Prefect server: pool, worker, deployments, schedules, an eye on dead runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from flows.doctor.checks import CheckResult, DoctorContext, check, fail, ok, warn
from flows.doctor.prefect_server import api_address, ask
from flows.stack.deploy import Deployments
from flows.stack.services.programs import POOL

_DEPLOY = "deploy them: `difsims up`, or `prefect --no-prompt deploy --all --prefect-file deployments/prefect.yaml`"
_WORKER = f"start one: `python -m flows.stack.services.prefect_worker --pool {POOL}`"
_SETTLED = timedelta(minutes=3)  # the scheduler looks once a minute


@check("Prefect: deployments", seconds=45, after="Prefect")
def deployments(_context: DoctorContext) -> CheckResult | None:
    """Look whether every flow can be run from the UI."""
    if api_address() is None:
        return None
    wanted = Deployments.of(None).names
    flows = {item["id"]: item["name"] for item in ask("POST", "/flows/filter", {"limit": 200})}
    named = {"deployments": {"name": {"any_": sorted({name.partition("/")[2] for name in wanted})}}, "limit": 200}
    there = {f"{flows.get(item['flow_id'])}/{item['name']}" for item in ask("POST", "/deployments/filter", named)}
    missing = [name for name in wanted if name not in there]
    if len(missing) == len(wanted):
        return warn("none: flows run only from the command line", _DEPLOY)
    if missing:
        return warn(f"missing: {', '.join(missing)}", _DEPLOY)
    return ok(f"{len(wanted)} are there")


@check("Prefect: worker", seconds=45, after="Prefect")
def worker(_context: DoctorContext) -> CheckResult | None:
    """Look whether somebody takes the runs of the work pool."""
    if api_address() is None:
        return None
    pool = _one(f"/work_pools/{POOL}")
    if pool is None:
        return warn(f"there is no work pool {POOL!r}", "`difsims up` makes it, elsewhere too: --prefect-api")
    if pool.get("is_paused"):
        return fail(f"the work pool {POOL!r} is paused", f"`prefect work-pool resume {POOL}`")
    known = ask("POST", f"/work_pools/{POOL}/workers/filter", {"limit": 200})
    online = [item["name"] for item in known if item.get("status") == "ONLINE"]
    if not online:
        return fail(f"no worker of the pool {POOL!r} is online; runs wait forever", _WORKER)
    return ok(f"{', '.join(online)} {'is' if len(online) == 1 else 'are'} online")


@check("Prefect: late runs", seconds=45, after="Prefect: worker")
def late_runs(_context: DoctorContext) -> CheckResult | None:
    """Look whether runs wait that should have begun."""
    if api_address() is None:
        return None
    late = ask("POST", "/flow_runs/count", {"flow_runs": {"state": {"name": {"any_": ["Late"]}}}})
    if late:
        return warn(f"{late} runs are late", f"add a worker, or start fewer runs; {_WORKER}")
    return ok("none")


@check("Prefect: schedules", seconds=45, after="Prefect")
def schedules(_context: DoctorContext) -> CheckResult | None:
    """Look whether the scheduler plans runs ahead for every active schedule."""
    if api_address() is None:
        return None
    found = ask("POST", "/deployments/filter", {"limit": 200})
    active = [item for item in found if not item.get("paused") and any(map(_is_active, item.get("schedules", ())))]
    if not active:
        return ok("none is active (yet)")
    idle = [item["name"] for item in active if not _runs_ahead(item["id"])]
    if idle:
        return fail(
            f"{len(idle)} of {len(active)} active schedules have no run ahead: the scheduler does not work",
            "see the log of the server (sqlalchemy 2.1 breaks it; --no-services leaves it out), and restart it",
        )
    return ok(f"{len(active)} active, each with a run ahead")


@check("Prefect: dead runs", seconds=45, after="Prefect")
def dead_runs(_context: DoctorContext) -> CheckResult | None:
    """Look whether runs whose heartbeats have stopped are ended, and no living ones; dead ones keep their slot."""
    if api_address() is None:
        return None
    found = [item for item in ask("POST", "/automations/filter", {"limit": 200}) if _ends_dead_runs(item)]
    if not found:
        return warn("no automation ends runs whose heartbeats have stopped", "`difsims up` makes it; see deployments/")
    enabled = [item for item in found if item.get("enabled")]
    if not enabled:
        return warn(f"the automation {found[0]['name']!r} is switched off", "switch it on in the UI, under Automations")
    patience, own = min(item["trigger"].get("within", 0) for item in enabled), _heartbeat_seconds()
    if own is None or own >= patience:
        pace = f"every {own} s" if own else "never"
        return fail(
            f"runs of this shell send a heartbeat {pace} and count as dead after {patience:.0f} s without one",
            f"set PREFECT_FLOWS_HEARTBEAT_FREQUENCY={max(30, int(patience) // 3)} (30 is the least)",
        )
    return ok(f"{enabled[0]['name']!r} ends them after {patience:.0f} s without a heartbeat")


def _heartbeat_seconds() -> int | None:
    from prefect.settings import get_current_settings

    return get_current_settings().flows.heartbeat_frequency


def _one(path: str) -> Any:
    """Return what the server has under a name, or None."""
    from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

    try:
        return ask("GET", path)
    except ObjectNotFound:
        return None
    except PrefectHTTPStatusError as error:
        if error.response.status_code == 404:
            return None
        raise


def _is_active(schedule: Mapping[str, Any]) -> bool:
    """Return whether a schedule is active and old enough for the scheduler to have seen it."""
    changed = datetime.fromisoformat(schedule.get("updated") or schedule["created"])
    return bool(schedule.get("active")) and datetime.now(UTC) - changed > _SETTLED


def _runs_ahead(deployment_id: str) -> bool:
    body = {
        "deployments": {"id": {"any_": [deployment_id]}},
        "flow_runs": {
            "state": {"type": {"any_": ["SCHEDULED"]}},
            "expected_start_time": {"after_": datetime.now(UTC).isoformat()},
        },
    }
    return ask("POST", "/flow_runs/count", body) > 0


def _ends_dead_runs(automation: Mapping[str, Any]) -> bool:
    ends = any(action.get("state") == "CRASHED" for action in automation.get("actions", ()))
    return ends and "prefect.flow-run.heartbeat" in json.dumps(automation["trigger"])
