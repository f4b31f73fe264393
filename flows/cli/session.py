"""Flows inside the command line's own process: start Prefect, listen to the flows, end cleanly."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import NoReturn

from difsims_core.errors import DifsimsError
from difsims_core.messages import first_line
from flows.cli import console
from flows.cli.command_group import INTERRUPTED, INTERRUPTION
from flows.execution.background import in_background
from flows.settings import quieten_prefect

_REMEDY = "try again, or start one with `prefect server start` and set PREFECT_API_URL to its address"


class PrefectUnavailableError(DifsimsError):
    """Prefect's server does not start or does not answer."""


@contextmanager
def flow_session(*modules: str, verbose: bool = False) -> Iterator[None]:
    """Run flows in this process and show on the terminal what they tell.

    Without ``PREFECT_API_URL`` (in the environment or Prefect's profile) a temporary server is started for the time
    of the command.

    Parameters
    ----------
    modules
        Modules that the flows will need; they are loaded while the server starts.
    verbose
        Leave Prefect's own log on the terminal.

    Raises
    ------
    PrefectUnavailableError
        If there is no server to report to.
    """
    quieten_prefect(verbose=verbose)
    from flows.ui.progress import listeners

    listener, warnings = console.TerminalListener(), console.WarningHandler()
    address = _address()
    before = signal.signal(signal.SIGINT, _interrupted(listener, temporary=not address))
    try:
        _connect(address, modules)
        listeners.append(listener)
        logging.getLogger("difsims_core").addHandler(warnings)
        yield
    except _lost_connections() as error:
        raise PrefectUnavailableError(
            f"the connection to Prefect was lost: {first_line(error)}", f"finished work is kept, {_REMEDY}"
        ) from error
    finally:
        signal.signal(signal.SIGINT, before)
        logging.getLogger("difsims_core").removeHandler(warnings)
        listener.close()
        if listener in listeners:
            listeners.remove(listener)


def _address() -> str | None:
    from prefect.settings import PREFECT_API_URL

    return PREFECT_API_URL.value() or None


def _connect(address: str | None, modules: tuple[str, ...]) -> None:
    """Start or reach the server, and say so: a start takes half a minute."""
    started = time.monotonic()
    if address is None:
        console.tell("starting Prefect's temporary server (about half a minute)")
    answer = in_background(_problem_of_prefect, "start-prefect")
    try:
        with console.story.status("loading" if address else "waiting for Prefect"):
            for name in modules:
                import_module(name)
            problem = answer.result()
    except (OSError, RuntimeError) as error:
        problem = error
    if isinstance(problem, PrefectUnavailableError):
        raise problem
    if problem is not None:
        where = f"at {address}" if address else "on this machine"
        raise PrefectUnavailableError(f"no Prefect server {where}: {first_line(problem)}", _REMEDY) from problem
    if address is None:
        console.tell(f"Prefect is ready after {time.monotonic() - started:.0f} s")


def _problem_of_prefect() -> Exception | None:
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectHTTPStatusError

    with get_client(sync_client=True) as client:
        problem = client.api_healthcheck()
        if problem is not None:
            return problem
        try:
            client.api_version()  # health is told to everybody
        except PrefectHTTPStatusError as error:
            if error.response.status_code != 401:
                return error
            return PrefectUnavailableError(
                f"the Prefect server at {_address()} wants a login, and refuses this one",
                "set PREFECT_API_AUTH_STRING to its user:password",
            )
        return None


def _lost_connections() -> tuple[type[Exception], ...]:
    import httpx
    from prefect.exceptions import PrefectHTTPStatusError

    return (httpx.TransportError, PrefectHTTPStatusError)


def _interrupted(listener: console.TerminalListener, *, temporary: bool) -> Callable[[int, object], NoReturn]:
    """Return the handler of Ctrl-C.

    The temporary server has received the same signal: nobody is left to report to, and Prefect would try for a
    minute. Leaving at once is safe, because everything in the store is whole or not there. A server elsewhere is told.
    """

    def stop(_signal: int, _frame: object) -> NoReturn:
        from flows.ui.progress import stop_requested

        signal.signal(signal.SIGINT, signal.SIG_IGN if temporary else signal.default_int_handler)
        stop_requested.set()
        listener.close()
        if not temporary:
            raise KeyboardInterrupt
        # Not through rich or sys.stderr: the signal may have come in the middle of one of their writes.
        os.write(2, f"{INTERRUPTION}\n".encode())
        from prefect.server.api.server import SubprocessASGIServer

        SubprocessASGIServer().stop()
        sys.stdout.flush()
        os._exit(INTERRUPTED)

    return stop
