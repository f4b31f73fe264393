"""Two lanes of tests: processes that wait for services, and processes that compute meanwhile.

A file is one piece of work, as its fixtures are shared by its tests; so is what carries one ``xdist_group``. Every
second process waits. The first of them begins with the folders that share a Prefect server, the others at the far end,
with those that take longest; the computing ones go through all other folders. Whoever has nothing left of its own takes
over, from the far end, what the other lane has not begun. Four processes keep two processors busy.
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
    "tests/flows/", "tests/faults/", "tests/cli/", "tests/dask/", "tests/browser/", "tests/production/",
    "tests/stack/", "tests/kill/",
)  # fmt: skip


class Lanes(LoadGroupScheduling):
    """Files and groups for the processes of a run."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        self._places: dict[WorkerController, int] = {}

    def _split_scope(self, nodeid: str) -> str:
        scope = super()._split_scope(nodeid)
        return nodeid.split("::", 1)[0] if scope == nodeid else scope

    def _assign_work_unit(self, node: WorkerController) -> None:
        place = self._places.setdefault(node, len(self._places))
        self.workqueue.move_to_end(next_piece(list(self.workqueue), place), last=False)
        super()._assign_work_unit(node)


def next_piece(left: Sequence[str], place: int) -> str:
    """Return which piece of work the process in a place takes of those that are left."""
    computing = [scope for scope in left if not scope.startswith(WAITING)]
    waiting = sorted((scope for scope in left if scope.startswith(WAITING)), key=_order)
    own, other = (computing, waiting) if place % 2 else (waiting, computing)
    if not own:
        return other[-1]
    return own[0] if place % 2 or place == 0 else own[-1]


def _order(scope: str) -> int:
    return next(place for place, folder in enumerate(WAITING) if scope.startswith(folder))
