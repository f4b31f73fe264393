"""SIGINT, SIGTERM and SIGHUP: each ends a command within two seconds, its finished work kept and no process left.

What lies in the store is whole or not there, so a command may end at any moment. It is asked to end by an exception; a
thread that the main one cannot hold up sees to it that it does.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MESSAGE = "interrupted; finished work is kept, the same command resumes from there"
_GRACE_SECONDS = 1.3

stop_services: list[Callable[[], object]] = []
"""What ends the processes that a command has started."""


class Interrupted(KeyboardInterrupt):
    """One of the signals has arrived.

    Attributes
    ----------
    code : int
        With which the process ends, as shells have it: 128 + the number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.code = 128 + number


class _Watch:
    """Ends this process a moment after a signal, whatever the main thread does."""

    def __init__(self) -> None:
        self.armed = True
        self.leaving = threading.Lock()
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        threading.Thread(target=self._wait, daemon=True, name="difsims-signals").start()

    def _wait(self) -> None:
        while True:
            (number,) = os.read(self._read, 1)
            if self.armed and number in SIGNALS:
                time.sleep(_GRACE_SECONDS)
                leave(128 + number)


_watch: list[_Watch] = []


def install() -> None:
    """Let the signals end this process; called once, in its main thread."""
    _watch.append(_Watch())
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or a job in the background
            signal.signal(number, _raise)


@contextmanager
def handled_by(stop: Callable[[], object]) -> Iterator[None]:
    """Let a command that ends its services in order take the signals itself: each calls ``stop``."""
    before = {number: signal.signal(number, lambda _number, _frame: stop()) for number in SIGNALS}
    for watch in _watch:
        watch.armed = False
    try:
        yield
    finally:
        for watch in _watch:
            watch.armed = True
        for number, handler in before.items():
            signal.signal(number, handler)


def leave(code: int) -> NoReturn:
    """Say that the work is kept, stop the services of this command, and end the process at once.

    Not through rich or ``sys.stderr``: the signal may have come in the middle of one of their writes.
    """
    if _watch and not _watch[0].leaving.acquire(blocking=False):
        threading.Event().wait()  # another thread is leaving
    os.write(2, f"{MESSAGE}\n".encode())
    for stop in stop_services:
        with suppress(Exception):
            stop()
    with suppress(Exception):
        sys.stdout.flush()
    os._exit(code)


def is_installed() -> bool:
    """Return whether signals end this process; they do not where its commands are called as functions."""
    return bool(_watch)


def _raise(number: int, _frame: object) -> NoReturn:
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    if "flows.ui.progress" in sys.modules:
        from flows.ui.progress import stop_requested

        stop_requested.set()
    raise Interrupted(number)
