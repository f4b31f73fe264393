"""Flows inside the command line's own process: start Prefect, listen to the flows, end cleanly."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from difsims_core.errors import DifsimsError
from flows import console
from flows.settings import quieten_prefect

INTERRUPTED = 130
_REMEDY = "try again, or start one with `prefect server start` and set PREFECT_API_URL to its address"


class PrefectUnavailableError(DifsimsError):
    """Prefect's server does not start or does not answer."""


@contextmanager
def flow_session(*, verbose: bool = False) -> Iterator[None]:
    """Run flows in this process and show on the terminal what they tell.

    Without ``PREFECT_API_URL`` (in the environment or Prefect's profile) a temporary server is started for the time
    of the command.

    Raises
    ------
    PrefectUnavailableError
        If there is no server to report to.
    """
    quieten_prefect(verbose=verbose)
    started = time.monotonic()
    with console.story.status("loading Prefect"):
        from prefect.settings import PREFECT_API_URL

        from flows.progress import listeners

        temporary = not PREFECT_API_URL.value()
        address = PREFECT_API_URL.value() or "its own temporary server"
    _connect(temporary=temporary, address=address, started=started)
    listener = console.TerminalListener()
    listeners.append(listener)
    before = signal.signal(signal.SIGINT, _interrupted(listener, temporary=temporary))
    try:
        yield
    except _lost_connections() as error:
        raise PrefectUnavailableError(
            f"the connection to Prefect ({address}) was lost: {_first_line(error)}; finished work is kept, {_REMEDY}"
        ) from error
    finally:
        signal.signal(signal.SIGINT, before)
        listener.close()
        listeners.remove(listener)


def _connect(*, temporary: bool, address: str, started: float) -> None:
    """Start or reach the server, and say so: a start takes half a minute."""
    from prefect.client.orchestration import get_client

    if temporary:
        console.story.print("[cyan]·[/cyan] starting Prefect's temporary server (about half a minute)")
    try:
        with console.story.status("waiting for Prefect"), get_client(sync_client=True) as client:
            error = client.api_healthcheck()
    except Exception as problem:  # noqa: BLE001 - any failure here means the same: there is no server
        error = problem
    if error is not None:
        raise PrefectUnavailableError(f"Prefect does not answer at {address}: {_first_line(error)}; {_REMEDY}") from error
    if temporary:
        console.story.print(f"[cyan]·[/cyan] Prefect is ready after {time.monotonic() - started:.0f} s")


def _lost_connections() -> tuple[type[Exception], ...]:
    import httpx
    from prefect.exceptions import PrefectHTTPStatusError

    return (httpx.TransportError, PrefectHTTPStatusError)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].strip() or type(error).__name__


def _interrupted(listener: console.TerminalListener, *, temporary: bool):  # noqa: ANN202
    """Return the handler of Ctrl-C.

    The temporary server has received the same signal: nobody is left to report to, and Prefect would try for a
    minute. Leaving at once is safe, because everything in the store is whole or not there. A server elsewhere is told.
    """

    def stop(_signal: int, _frame: object) -> NoReturn:
        from flows.progress import stop_requested

        signal.signal(signal.SIGINT, signal.SIG_IGN if temporary else signal.default_int_handler)
        stop_requested.set()
        listener.close()
        if not temporary:
            raise KeyboardInterrupt
        say_interrupted()
        from prefect.server.api.server import SubprocessASGIServer

        SubprocessASGIServer().stop()
        sys.stdout.flush()
        os._exit(INTERRUPTED)

    return stop


def say_interrupted() -> None:
    """Print the one line after Ctrl-C."""
    console.story.print("[yellow]interrupted[/yellow]; finished blocks and files are kept, the same command goes on from there")
