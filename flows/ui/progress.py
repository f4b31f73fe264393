"""What a flow reports about itself: lines of its log, and how far a long piece of work is.

Both go to Prefect (the log of the run at work, a progress artifact) and to listeners of this process, such as a
terminal; without a run, to the listeners alone.
Core functions report through plain callbacks and know of neither.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock
from typing import Protocol, cast
from uuid import UUID

from difsims_core.messages import first_line
from flows.ui import markdown
from flows.ui.flow_context import run_at_work, server_errors
from flows.ui.run_log import log

_SECONDS_BETWEEN_UPDATES = 3.0
_logger = logging.getLogger(__name__)

stop_requested = Event()
"""Set to end work that runs in other threads; they notice at the next step of progress."""


class Stopped(Exception):  # noqa: N818 - it is a request, not an error
    """TrackedWork was asked to stop."""


class Listener(Protocol):
    """Something in this process that shows what flows tell."""

    def on_message(self, text: str) -> None:
        """Show a line of the log."""

    def on_progress(self, work: TrackedWork) -> None:
        """Show how far a piece of work is."""

    def on_end(self, work: TrackedWork) -> None:
        """Take a piece of work away."""


listeners: list[Listener] = []
_works: dict[str, TrackedWork] = {}


class TrackedWork:
    """A long piece of work, in parts that may advance at the same time.

    Attributes
    ----------
    title, unit : str
        What is done, and what ``total`` counts.
    total : int
        When ``done`` reaches it the work is complete.
    detail : str
        Latest detail, such as the loss of an epoch.
    """

    def __init__(self, title: str, total: int, unit: str) -> None:
        self.title, self.total, self.unit, self.detail = title, total, unit, ""
        self._parts: dict[object, int] = {}
        self._lock = Lock()
        self._artifact: UUID | None = None
        self._updated = time.monotonic()
        if run_at_work() is not None:
            from prefect.artifacts import create_progress_artifact

            shown = markdown.text(title)
            with _server_may_be_away():
                self._artifact = cast("UUID", create_progress_artifact(0.0, key="progress", description=shown))

    @property
    def done(self) -> int:
        """How much is done, all parts together."""
        return min(sum(self._parts.values()), self.total)

    def update(self, part: object, done: int, detail: str = "") -> None:
        """Record how much of a part is done by now."""
        with self._lock:
            self._parts[part] = max(done, self._parts.get(part, 0))
            self.detail = detail or self.detail
            due = time.monotonic() - self._updated > _SECONDS_BETWEEN_UPDATES
            if due:
                self._updated = time.monotonic()
        for listener in listeners:
            listener.on_progress(self)
        if due:
            self._update_artifact()

    def end(self) -> None:
        """Leave the terminal and make the artifact final."""
        for listener in listeners:
            listener.on_end(self)
        self._update_artifact()

    def _update_artifact(self) -> None:
        if self._artifact is not None:
            from prefect.artifacts import update_progress_artifact

            percent = 100.0 * self.done / max(self.total, 1)
            detail = f" · {self.detail}" if self.detail else ""
            description = f"{self.title}: {self.done:,} of {self.total:,} {self.unit}{detail}"
            with _server_may_be_away():
                update_progress_artifact(self._artifact, percent, description=markdown.text(description))


@contextmanager
def track_progress(key: str, title: str, total: int, unit: str) -> Iterator[TrackedWork]:
    """Announce a long piece of work; tasks of this process find it under ``key``."""
    work = _works[key] = TrackedWork(title, total, unit)
    for listener in listeners:
        listener.on_progress(work)
    try:
        yield work
    finally:
        _works.pop(key, None)
        work.end()


def progress_callback(key: str, part: object) -> Callable[..., None]:
    """Return the callback ``(done, detail="")`` by which a part of the work under ``key`` says how much of it is done.

    In another process than the flow's there is no such work: the callback does nothing, the flow itself counts the
    parts that have ended.
    """

    def report(done: int, detail: str = "") -> None:
        if stop_requested.is_set():
            raise Stopped("stopped; finished blocks are kept, the same command resumes from there")
        work = _works.get(key)
        if work is not None:
            work.update(part, done, detail)

    return report


def log_and_show(text: str) -> None:
    """Write a line to the run's log and show it to the listeners."""
    log_line(text)
    show_line(text)


def show_line(text: str) -> None:
    """Show a line to the listeners alone: the run's log has it in other words."""
    for listener in listeners:
        listener.on_message(text)


def log_line(text: str) -> None:
    """Write a line to the run's log alone: what a flow reports of the flows that it has called."""
    log(logging.INFO, text)


@contextmanager
def _server_may_be_away() -> Iterator[None]:
    """Let work go on when its progress cannot be reported, for example while the server restarts."""
    try:
        yield
    except server_errors() as error:
        _logger.warning("progress is not reported to Prefect: %s", first_line(error))
