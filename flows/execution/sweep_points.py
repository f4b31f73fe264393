"""Points of a sweep as runs of a deployment: bounded in number, found again by what they simulate."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling

from difsims_core.config.sweep import SweepPoint
from difsims_core.dataset import build
from difsims_core.errors import InputError
from difsims_core.retrying import poll
from difsims_core.storage.objects import open_store
from flows.execution.point_states import Changed, PointState
from flows.ui.flow_runs import find_runs

POLL_SECONDS = 2.0
_STARTS = 3  # of one point by one sweep, when its run crashes: the machine's fault, not the point's


@dataclass(slots=True)
class _Active:
    """A point whose run has been submitted."""

    number: int
    fingerprint: str
    run: FlowRun
    starts: int = 1
    shown: str = ""


class PointRuns:
    """Runs the points of a sweep by a deployment, a few at a time.

    A point whose dataset is complete needs no run. A run that an earlier sweep left unfinished is taken over; one that
    crashed is started again, at most three times a sweep.

    Parameters
    ----------
    points, root
        What is simulated, and the root URL of the store.
    deployment
        Its name, ``flow/deployment``.
    at_once
        Runs that are submitted and not yet finished, at most.
    tag
        Of every run that is started here.
    changed
        Called with the number of a point and its state whenever that changes.
    """

    def __init__(
        self, points: Sequence[SweepPoint], root: str, *, deployment: str, at_once: int, tag: str, changed: Changed
    ) -> None:
        self._points, self._root, self._deployment, self._at_once = points, root, deployment, at_once
        self._tag, self._changed = tag, changed
        self._store = open_store(root)
        self._states = [PointState(point) for point in points]
        self._active: dict[UUID, _Active] = {}

    def run(self) -> list[PointState]:
        """Run all points and return what became of them, in their order."""
        check_deployment(self._deployment)
        waiting = deque(range(len(self._points)))
        for _ in poll(POLL_SECONDS):
            if self._active:
                self._update()
            while waiting and len(self._active) < self._at_once:
                self._begin(waiting.popleft())
            if not self._active:
                break
        return self._states

    def _begin(self, number: int) -> None:
        point = self._points[number]
        fingerprint, plan = build.find(self._store, point.spec)
        if plan is not None and plan.complete:
            self._set(number, PointState(point, "complete", id=plan.id))
            return
        run = self.submit_run(number, fingerprint)
        if run.id in self._active:
            other = self._points[self._active[run.id].number].label
            self._set(number, PointState.failed(point, f"simulates the same dataset as {other}", run.name))
            return
        self._active[run.id] = _Active(number, fingerprint, run)
        self._set(number, PointState(point, _name(run.state), run.name))

    def submit_run(self, number: int, fingerprint: str) -> FlowRun:
        """Return the unfinished run of a point, or a new one.

        The key makes two sweeps that submit the same point at once share one run.
        """
        point = self._points[number]
        digest = hashlib.sha256(f"{self._root}\n{fingerprint}".encode()).hexdigest()[:20]
        tag = f"point-{digest}"
        earlier = find_runs(tags=[tag])
        unfinished = [run for run in earlier if run.state is None or not run.state.is_final()]
        if unfinished:
            return unfinished[0]
        run = run_deployment(
            self._deployment,
            parameters={"spec": point.spec.to_document(), "store": self._root},
            timeout=0,
            tags=[tag, self._tag],
            idempotency_key=f"{tag}-after-{earlier[0].id if earlier else None}",
        )
        return cast("FlowRun", run)  # outside an event loop it is no coroutine

    def _update(self) -> None:
        """Ask how all submitted runs are."""
        found = {run.id: run for run in find_runs(ids=list(self._active))}
        for run_id, active in list(self._active.items()):
            run = found.get(run_id)
            state = run.state if run is not None else None
            if run is not None and (state is None or not state.is_final()):
                self._show(active, _name(state))
                continue
            del self._active[run_id]
            self._conclude(active, state)

    def _conclude(self, active: _Active, state: State | None) -> None:
        """Note how the run of a point ended; one that crashed, or was deleted, is started again."""
        point, number = self._points[active.number], active.number
        _, plan = build.find(self._store, point.spec)
        if plan is not None and plan.complete:
            self._set(number, PointState(point, "complete", active.run.name, plan.id))
        elif (state is None or state.type == StateType.CRASHED) and active.starts < _STARTS:
            run = self.submit_run(number, active.fingerprint)
            self._active[run.id] = _Active(number, active.fingerprint, run, active.starts + 1)
            self._set(number, PointState(point, f"start {active.starts + 1} after a crash", run.name))
        else:
            self._set(number, PointState.failed(point, _reason(state), active.run.name))

    def _show(self, active: _Active, name: str) -> None:
        if name != active.shown:
            active.shown = name
            self._set(active.number, PointState(self._points[active.number], name, active.run.name))

    def _set(self, number: int, state: PointState) -> None:
        self._states[number] = state
        self._changed(number, state)


def check_deployment(name: str) -> None:
    """Refuse the name of a deployment that the server does not know."""
    with get_client(sync_client=True) as client:
        try:
            client.read_deployment_by_name(name)
        except (ObjectNotFound, ValueError):
            raise InputError(
                f"there is no deployment {name!r}",
                "expected flow/name, such as simulate/local: `difsims up` makes it. Without a deployment everything "
                "runs here, one after another",
            ) from None


def cancel_runs(tag: str) -> int:
    """Ask all unfinished runs with a tag to stop; return how many."""
    unfinished = find_runs(tags=[tag], unfinished=True)
    with get_client(sync_client=True) as client:
        for run in unfinished:
            client.set_flow_run_state(run.id, Cancelling(message="the sweep was cancelled"))
    return len(unfinished)


def _name(state: State | None) -> str:
    return (state.name if state is not None and state.name else "unknown").lower()


def _reason(state: State | None) -> str:
    if state is None:
        return "its run was deleted"
    message = (state.message or "").strip().splitlines()
    return f"{_name(state)}{f', {message[0]}' if message else ''}"
