"""Trying again and waiting: how often, how long between, until when; the only place with such loops.

Prefect retries tasks and botocore retries requests by their own rules; this is for what neither of them sees.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event
from typing import TypeVar

T = TypeVar("T")


class StoppedError(Exception):
    """A wait was interrupted because its stop event was set."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a call is tried, and how long to wait between: pauses double, and are shortened at random.

    Attributes
    ----------
    tries : int
        Calls at most.
    pause : float
        Seconds before the second call at most; each is shortened by up to a half, so that callers who met once do not
        meet again.
    longest : float
        Seconds that no pause exceeds.
    """

    tries: int
    pause: float
    longest: float = math.inf

    def call(
        self,
        function: Callable[[], T],
        transient: Callable[[Exception], bool],
        waiting: Callable[[Exception, float], None] | None = None,
        stop: Event | None = None,
    ) -> T:
        """Return what a function returns, calling it again after a transient failure.

        Parameters
        ----------
        function
            What to call.
        transient
            Whether another try may help after this error.
        waiting
            Told of each failure that is followed by another try, and of the seconds until then.
        stop
            Set to end a pause at once.

        Raises
        ------
        Exception
            What the function raised: at once when it is not transient, otherwise at the last try.
        StoppedError
            If ``stop`` is set during a pause.
        """
        stop = stop or Event()
        for pause in self.pauses():
            try:
                return function()
            except Exception as error:
                if not transient(error):
                    raise
                if waiting is not None:
                    waiting(error, pause)
            if stop.wait(pause):
                raise StoppedError
        return function()

    def pauses(self) -> Iterator[float]:
        """Yield the seconds to wait after each call but the last."""
        for pause in self.longest_pauses:
            yield pause * random.uniform(0.5, 1.0)  # noqa: S311 - no secret

    @property
    def longest_pauses(self) -> list[float]:
        """The seconds after each call but the last, before any is shortened."""
        return [min(self.pause * 2**number, self.longest) for number in range(self.tries - 1)]


def poll(pause: float, seconds: float = math.inf, stop: Event | None = None) -> Iterator[float]:
    """Yield the seconds that are left of a wait, a pause apart; the last is 0, for one look after the deadline.

    Parameters
    ----------
    pause
        Seconds between looks.
    seconds
        Until the deadline; default: there is none.
    stop
        Set to end the wait at once.

    Raises
    ------
    StoppedError
        If ``stop`` is set.
    """
    stop = stop or Event()
    deadline = time.monotonic() + seconds
    left = seconds
    while True:
        yield left
        if left <= 0:
            return
        if stop.wait(min(pause, left)):
            raise StoppedError
        left = max(0.0, deadline - time.monotonic())
