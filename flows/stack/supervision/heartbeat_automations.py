"""Flow runs whose process is gone without a word: Prefect's automations that declare them crashed.

A killed flow process is reported by its worker. Worker and flow killed together report nothing, and the run would stay
"Running" for ever, with the concurrency slot that it holds. Its heartbeats end, though.
"""

from __future__ import annotations

from typing import Any

from flows.stack.api import PrefectApi

# Seconds: ten heartbeats. A server that waits for SQLite's locks (60 s each) hears none. On the stack's own machine a
# missing process is noticed within a minute anyway.
HEARTBEAT_TIMEOUT = 300
_WITHOUT_START = 240
# On a server with flows of others: those of the same names may keep Prefect's own pace, 180 s, and start in pods.
_SHARED_WITHOUT_HEARTBEAT = 400
_SHARED_WITHOUT_START = 900
# Events carry the names of states; those of difsims end as "Reused" and "Nothing new" too. All events, by a wildcard,
# would be twice the writing for a database that has one writer. An end that is missing here does no harm: a run that
# has ended cannot become Crashed.
_ENDS = ["Completed", "Reused", "Nothing new", "Failed", "TimedOut", "Cancelled", "Crashed"]
_PAUSES = ["Scheduled", "AwaitingRetry", "Paused", "Suspended"]
FLOWS = [
    "simulate", "simulate-sweep", "train", "preprocess", "predict", "evaluate", "export", "pipeline", "retrain",
    "watch-experiments",
]  # fmt: skip


def install_automations(api: PrefectApi, seconds: int = HEARTBEAT_TIMEOUT, *, shared: bool = False) -> None:
    """Install the automations, or bring them to their present form.

    Parameters
    ----------
    api
        Where to.
    seconds
        Without a heartbeat, after which a run counts as dead; ten heartbeats by default.
    shared
        The server is not the stack's own: longer waits, for the flows of others.
    """
    starting = _SHARED_WITHOUT_START if shared else _WITHOUT_START
    seconds = max(seconds, _SHARED_WITHOUT_HEARTBEAT) if shared else seconds
    wanted = [
        _automation(
            "crash zombie flow runs",
            after=["Running", "heartbeat"],
            expect=["heartbeat", *_ENDS, *_PAUSES],
            seconds=seconds,
            message=f"no heartbeat for {seconds} s: its process is gone. What it finished is kept, run it again",
        ),
        _automation(
            "crash flow runs that never start",
            after=["Pending"],
            expect=["Running", *_ENDS, *_PAUSES],
            seconds=starting,
            message="taken by a worker and never started: the worker is gone. Run it again",
        ),
    ]
    found: dict[str, list[dict[str, Any]]] = {}
    for automation in api.all("/automations/filter", {}):
        found.setdefault(automation["name"], []).append(automation)
    for automation in wanted:
        present = found.get(automation["name"], [])
        if not present:
            api.post("/automations/", automation)
        if present and not _says(present[0], automation):
            # Not without need: an automation that is written anew forgets the runs that it had in view.
            api.put(f"/automations/{present[0]['id']}", automation)
        for other in present[1:]:
            api.delete(f"/automations/{other['id']}")


def _says(found: Any, wanted: Any) -> bool:
    """Return whether what the server has holds all that is wanted; it adds fields, and keeps lists in any order."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_says(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(any(_says(a, b) for a in found) for b in wanted)
        )
    return found == wanted


def _automation(name: str, *, after: list[str], expect: list[str], seconds: int, message: str) -> dict[str, Any]:
    return {
        "name": name,
        "description": "Installed by difsims. Flow runs whose process is gone become Crashed, and their slots free.",
        "enabled": True,
        "trigger": {
            "type": "event",
            "posture": "Proactive",
            "after": [f"prefect.flow-run.{event}" for event in after],
            "expect": [f"prefect.flow-run.{event}" for event in expect],
            "match": {"prefect.resource.id": "prefect.flow-run.*"},
            # Flows of others may send heartbeats at another pace.
            "match_related": {"prefect.resource.role": "flow", "prefect.resource.name": FLOWS},
            "for_each": ["prefect.resource.id"],
            "threshold": 1,
            "within": seconds,
        },
        "actions": [
            {"type": "change-flow-run-state", "name": "Crashed", "state": "CRASHED", "message": message},
        ],
    }
