"""Two lanes of tests: one process waits for services while the others compute.

A file is one piece of work, as its fixtures are shared by its tests; so is what carries one ``xdist_group``. The first
process begins with what starts services, so that one Prefect server and one store serve all that can share them; the
others compute. Whoever has nothing left of its own takes over, from the far end, what the other lane has not begun.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadGroupScheduling
from xdist.workermanage import WorkerController

# Folders whose tests wait for processes more than they compute, in the order in which they run: first those that share
# a Prefect server, so that nobody else takes one of them over and starts a second one.
WAITING = (
    "tests/flows/", "tests/faults/", "tests/kill/", "tests/stack/", "tests/browser/", "tests/production/",
    "tests/dask/", "tests/cli/",
)  # fmt: skip


class Lanes(LoadGroupScheduling):
    """Files and groups for the processes of a run."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        self._first: WorkerController | None = None

    def _split_scope(self, nodeid: str) -> str:
        scope = super()._split_scope(nodeid)
        return nodeid.split("::", 1)[0] if scope == nodeid else scope

    def _assign_work_unit(self, node: WorkerController) -> None:
        self._first = self._first or node
        scope = next_piece(list(self.workqueue), waits=node is self._first)
        self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)


def next_piece(left: Sequence[str], *, waits: bool) -> str:
    """Return which piece of work a process takes: the first one of its own lane, or else the last one of the other."""
    ordered = sorted(left, key=_place)
    computing = [scope for scope in left if _place(scope) == len(WAITING)]
    waiting = ordered[: len(ordered) - len(computing)]
    own, other = (waiting, computing) if waits else (computing, waiting)
    return own[0] if own else other[-1]


def _place(scope: str) -> int:
    """Return where a piece of work stands in the order of those that wait; behind them when it computes."""
    return next((place for place, folder in enumerate(WAITING) if scope.startswith(folder)), len(WAITING))
