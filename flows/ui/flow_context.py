"""The flow run at work, and the server that it reports to: a process that has not loaded Prefect has neither."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

if TYPE_CHECKING:
    from prefect.context import FlowRunContext

P = ParamSpec("P")

_ADDRESS = "PREFECT_API_URL"


def run_at_work() -> FlowRunContext | None:
    """Return the context of the flow run at work; None in a command that runs without Prefect."""
    if "prefect" not in sys.modules:
        return None
    from prefect.context import FlowRunContext

    return FlowRunContext.get()


def only_in_runs(show: Callable[P, None]) -> Callable[P, None]:
    """Return a function that leaves something in Prefect's UI as one that does nothing without a flow run."""

    @wraps(show)
    def show_in_run(*arguments: P.args, **named: P.kwargs) -> None:
        if run_at_work() is not None:
            show(*arguments, **named)

    return show_in_run


def server_errors() -> tuple[type[Exception], ...]:
    """Return the errors that say that Prefect's server is gone, or does not want the call."""
    if "prefect" not in sys.modules:
        return ()
    import httpx
    from prefect.exceptions import PrefectHTTPStatusError

    return (httpx.TransportError, PrefectHTTPStatusError)


def server_address() -> str | None:
    """Return the address of the Prefect server that the user has set.

    Prefect is asked where it is loaded already, and where a file may set it.
    """
    if "prefect" not in sys.modules:
        if _ADDRESS in os.environ:
            return os.environ[_ADDRESS] or None
        if not any(map(_may_set_address, _files_of_settings())):
            return None
    from prefect.settings import PREFECT_API_URL

    return PREFECT_API_URL.value() or None


def _files_of_settings() -> tuple[Path, ...]:
    home = Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()
    profiles = Path(os.environ.get("PREFECT_PROFILES_PATH") or home / "profiles.toml").expanduser()
    return (profiles, Path(".env"), Path("prefect.toml"), Path("pyproject.toml"))


def _may_set_address(path: Path) -> bool:
    """Return whether a file of settings may name an address of Prefect's, as a variable or as the key of a table."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return _ADDRESS in text.upper() or path.name == "prefect.toml" or "[tool.prefect" in text
