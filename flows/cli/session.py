"""Commands in this process: as plain functions, or as flows of Prefect where there is a server or one is asked for."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from difsims_core.errors import DifsimsError
from difsims_core.messages import first_line
from flows.cli import console, interruption
from flows.execution.background import in_background
from flows.settings import quieten_prefect, quieten_tensorflow
from flows.ui.flow_context import server_address, server_errors

if TYPE_CHECKING:
    import typer
    from prefect import Flow

_REMEDY = "try again, or start one with `prefect server start` and set PREFECT_API_URL to its address"


class PrefectUnavailableError(DifsimsError):
    """Prefect's server does not start or does not answer."""


def run_command(
    ctx: typer.Context,
    name: str,
    *arguments: Any,
    module: str = "",
    check: Callable[[], object] | None = None,
    **named: Any,
) -> Any:
    """Do what a command does and return its value, as a flow or as a plain function; both leave the same in the store.

    It is a flow where the address of a Prefect server is set, or where ``--prefect`` asks for one.

    Parameters
    ----------
    ctx
        Of the command.
    name
        Of the function.
    arguments, named
        Of both.
    module
        Where it is, in ``flows`` and in ``flows.commands``; default: ``name``.
    check
        What the function itself does first, and refuses; called before a server is started for that.
    """
    verbose, module = ctx.obj["verbose"], module or name
    quieten_tensorflow(verbose=verbose)
    if not ctx.obj["prefect"] and server_address() is None:
        with _story_on_terminal():
            return getattr(import_module(f"flows.commands.{module}"), name)(*arguments, **named)
    if check is not None:
        check()
    return run_flow(name, *arguments, module=module, verbose=verbose, **named)


def run_flow(name: str, *arguments: Any, module: str = "", verbose: bool = False, **named: Any) -> Any:
    """Run a flow in this process, show on the terminal what it tells and where its page is, and return its value.

    Parameters
    ----------
    name
        Of the flow.
    arguments, named
        Of the flow.
    module
        Where it is, in ``flows``; default: ``name``.
    verbose
        Leave Prefect's own log on the terminal.

    Raises
    ------
    PrefectUnavailableError
        If there is no server to report to.
    """
    module = f"flows.{module or name}"
    with flow_session(module, verbose=verbose):
        return _with_address(getattr(import_module(module), name))(*arguments, **named)


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
    address = server_address()
    if address is None:
        interruption.stop_services.append(_stop_temporary_server)
    try:
        with _story_on_terminal(temporary=address is None):
            _connect(address, modules)
            yield
    except Exception as error:
        if not isinstance(error, server_errors()):
            raise
        raise PrefectUnavailableError(
            f"the connection to Prefect was lost: {first_line(error)}", f"finished work is kept, {_REMEDY}"
        ) from error


@contextmanager
def _story_on_terminal(*, temporary: bool = False) -> Iterator[None]:
    """Show the lines and the progress of commands, and the warnings of the core.

    With a ``temporary`` server nobody is left to report to when a signal comes: the process leaves at once.
    """
    from flows.ui.progress import listeners

    listener, warnings = console.TerminalListener(), console.WarningHandler()
    listeners.append(listener)
    logging.getLogger("difsims_core").addHandler(warnings)
    try:
        yield
    except interruption.Interrupted as error:
        listener.close()
        if temporary and interruption.is_installed():
            interruption.leave(error.code)
        raise
    finally:
        logging.getLogger("difsims_core").removeHandler(warnings)
        listener.close()
        listeners.remove(listener)


def _connect(address: str | None, modules: tuple[str, ...]) -> None:
    """Start or reach the server, and say so: a start takes half a minute."""
    started = time.monotonic()
    if address is None:
        console.tell("starting Prefect's temporary server (about half a minute)")
    import_module("prefect.client.orchestration")  # first: two threads that load Prefect at once wait for each other
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
                f"the Prefect server at {server_address()} wants a login, and refuses this one",
                "set PREFECT_API_AUTH_STRING to its user:password",
            )
        return None


def _with_address(flow: Flow[..., Any]) -> Callable[..., Any]:
    """Return a flow that says where the page of its run is; a temporary server shows none for long."""
    if server_address() is None:
        return flow

    def tell(flow: object, flow_run: Any, state: object) -> None:  # noqa: ARG001 - Prefect's names
        from prefect.utilities.urls import url_for

        console.tell(f"the page of this run: {url_for('flow-run', flow_run.id)}")

    return flow.with_options(on_running=[tell])


def _stop_temporary_server() -> None:
    if "prefect.server.api.server" not in sys.modules:
        return  # none was started, and loading it would take longer than there is time
    from prefect.server.api.server import SubprocessASGIServer

    SubprocessASGIServer().stop()
