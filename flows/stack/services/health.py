"""Waiting until services do their work, with a time limit and an error that says where to look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event

import httpx
import psutil

from difsims_core.errors import StoreError
from difsims_core.retrying import poll
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from flows.stack.api import PrefectApi
from flows.stack.errors import StackError
from flows.stack.services.programs import POOL
from flows.stack.supervision.supervisor import Supervisor

_SECONDS_BETWEEN = 0.3
_MOST_STARTS = 3
_REMEDIES = {
    "s3": "Is the disk full, or the folder on a drive that is slow to answer? Otherwise use a store elsewhere: --s3",
    "server": "`difsims doctor` looks for versions that do not work together; a full disk or a damaged database in the "
    "folder's prefect/ are others",
    "worker": "`difsims doctor` looks for what is wrong with this installation",
}

Problem = Callable[[], str | None]


@dataclass(frozen=True, slots=True)
class Deadline:
    """How long each wait may last, and what ends it at once; iterated anew for each wait.

    Attributes
    ----------
    seconds : float
        Of each wait.
    stop : Event
        Set when the wait shall end; the iteration then raises ``StoppedError``.
    """

    seconds: float
    stop: Event

    def __iter__(self) -> Iterator[float]:
        """Yield the seconds that are left, as ``difsims_core.retrying.poll`` does."""
        return poll(_SECONDS_BETWEEN, self.seconds, self.stop)


def await_health(name: str, problem: Problem, supervisor: Supervisor, deadline: Deadline) -> None:
    """Wait until a program of the stack does its work.

    Parameters
    ----------
    name
        Of the program.
    problem
        Returns what is still wrong, None when nothing is.
    supervisor
        Of the stack.
    deadline
        How long to wait.

    Raises
    ------
    StackError
        If it does not start, dies again and again, or is not ready in time.
    """
    seen: set[int] = set()
    found: str | None = ""
    for _ in deadline:
        state = supervisor.states()[name]
        seen |= {state.pid} - {0}
        found = problem() if state.pid else f"no process ({state.note})"
        if found is None:
            return
        if state.state == "FATAL" or len(seen) >= _MOST_STARTS:
            found = "it keeps crashing"
            break
    raise StackError(
        f"{name} is not ready: {found}; the last lines of {supervisor.log_file(name)}:\n{supervisor.last_lines(name)}\n"
        f"{_REMEDIES[name]} (waited for {deadline.seconds:.0f} s at most: --timeout)"
    )


def problem_of_s3(endpoint: str) -> Problem:
    """Return a look at the stack's own S3 server."""

    def look() -> str | None:
        try:
            answer = httpx.get(f"{endpoint}/healthz", timeout=5)
        except httpx.HTTPError as error:
            return f"{type(error).__name__}: {error}"
        return None if answer.is_success else f"it answers {answer.status_code} to /healthz"

    return look


def problem_of_store(root: str) -> Problem:
    """Return a look into a store, with the credentials of this process's environment."""

    def look() -> str | None:
        try:
            open_store(root).exists(layout.model_registry())
        except StoreError as error:
            return str(error)
        return None

    return look


def problem_of_worker(api: PrefectApi, supervisor: Supervisor) -> Problem:
    """Return a look at the worker of a stack, which is well when the server has heard of this very process."""

    def look() -> str | None:
        state = supervisor.states()["worker"]
        try:
            started = datetime.fromtimestamp(psutil.Process(state.pid).create_time(), UTC)
        except psutil.NoSuchProcess:
            return "its process is gone"
        body = {"workers": {"status": {"any_": ["ONLINE"]}}, "limit": 200}
        heard = [worker["last_heartbeat_time"] for worker in api.post(f"/work_pools/{POOL}/workers/filter", body)]
        if any(datetime.fromisoformat(moment) >= started for moment in heard):
            return None
        return f"the server has not heard of it since {started:%H:%M:%S} UTC"

    return look
