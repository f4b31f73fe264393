"""Flow runs that have lost their process, found by looking at the processes of this machine.

The automations of `heartbeat_automations` depend on events, and a killed server loses those that it had in memory. Here
the records of the stack's own server are compared with the processes that exist; only there is every run of the pool a
process of this machine.
"""

from __future__ import annotations

from collections import Counter

import psutil

from flows.stack.api import PrefectApi
from flows.stack.services.processes import flow_runs
from flows.stack.supervision.repair import crash, pool_runs

SECONDS_BETWEEN_CHECKS = 30
# A worker that has taken a run may need a while to start its process on a busy machine; a running one has it already.
_LOOKS = {"RUNNING": 2, "CANCELLING": 2, "PENDING": 6}
_MESSAGE = "its process is gone. What it finished is kept, run it again"


class OrphanedRuns:
    """Runs without a process, and how often in succession they were seen so."""

    def __init__(self, api: PrefectApi) -> None:
        self._api = api
        self._seen: Counter[str] = Counter()

    def look(self) -> list[str]:
        """Compare once, declare crashed what was without a process often enough, and return the names of these."""
        runs = pool_runs(self._api, list(_LOOKS))
        alive = flow_runs(psutil.process_iter())
        lost = [run for run in runs if run["id"] not in alive and not _somebody_elses(run["infrastructure_pid"])]
        self._seen = Counter({run["id"]: self._seen[run["id"]] + 1 for run in lost})
        gone = [run for run in lost if self._seen[run["id"]] >= _LOOKS[run["state"]["type"]]]
        for run in gone:
            crash(self._api, run, _MESSAGE)
        return [run["name"] for run in gone]


def _somebody_elses(pid: str | None) -> bool:
    """Return whether the process that a worker reported is there and belongs to another user, with his own worker."""
    try:
        psutil.Process(int(pid or "")).environ()
    except (psutil.AccessDenied, PermissionError):
        return True
    except (ValueError, psutil.Error):
        pass
    return False
