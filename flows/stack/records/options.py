"""What the user asks of ``difsims up``, and what of it is new to a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from difsims_core.storage.names import split_url
from difsims_core.storage.objects import open_store
from flows.stack.errors import StackOptionError
from flows.stack.records.credentials import keep_credentials
from flows.stack.records.environment import Services
from flows.stack.records.folder import StackFolder, StackState
from flows.stack.services.ports import choose_ports
from flows.stack.supervision.heartbeat_automations import HEARTBEAT_TIMEOUT


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What the user asks of ``difsims up``.

    Attributes
    ----------
    folder : Path
        State of the stack.
    s3, prefect_api : str or None
        Existing services to use.
    s3_port, prefect_port : int or None
        Ports that the user insists on.
    auth : bool
        Whether the Prefect server asks for a login. Without one, every user of the machine may run flows, with the
        rights of who started the stack.
    seconds : float
        That each service may take until it does its work.
    deployments : Path or None
        Another file of deployments.
    heartbeat_timeout : int
        Without a heartbeat, after which a run counts as dead.
    """

    folder: Path
    s3: str | None = None
    prefect_api: str | None = None
    s3_port: int | None = None
    prefect_port: int | None = None
    auth: bool = True
    seconds: float = 180.0
    deployments: Path | None = None
    heartbeat_timeout: int = HEARTBEAT_TIMEOUT


def choose_services(
    folder: StackFolder, options: UpOptions, tell: Callable[[str], None], *, running: bool
) -> tuple[StackState, Services]:
    """Return what the folder shall remember, and where the services are or will be.

    Parameters
    ----------
    folder
        Of the stack.
    options
        What the user asks for; it may not contradict what a stack was made with.
    tell
        Called with what he should know.
    running
        Whether the stack runs already; then its ports are as they are.

    Raises
    ------
    StackOptionError
        If an option cannot be used.
    """
    asked = StackState(s3=_store(options.s3), prefect_api=_address(options.prefect_api))
    known = folder.load_state() or asked
    for option, wanted, present in (
        ("--s3", asked.s3, known.s3),
        ("--prefect-api", asked.prefect_api, known.prefect_api),
    ):
        if wanted is not None and wanted != present:
            raise StackOptionError(
                f"{folder.root} holds a stack with {present or 'a service of its own'}, which cannot become {option} "
                f"{wanted}",
                "use another --folder",
            )
    ports = known.ports
    if not running:
        own = [name for name, existing in (("s3", known.s3), ("prefect", known.prefect_api)) if existing is None]
        wanted = {"s3": options.s3_port, "prefect": options.prefect_port}
        ports = choose_ports(known.ports, wanted, own)
        for name in own:
            if name in known.ports and ports[name] != known.ports[name] and wanted[name] is None:
                tell(f"port {known.ports[name]} is taken by another program; {name} is at {ports[name]} from now on")
    credentials = keep_credentials(folder, auth=None if running else options.auth)
    another_login = known.prefect_api is None and options.auth != (credentials.login is not None)
    if running and (another_login or options.s3_port or options.prefect_port):
        tell("the stack is running; ports and login change at its next start")
    state = replace(known, ports=ports)
    services = Services(credentials, ports.get("s3"), ports.get("prefect"), known.s3, known.prefect_api)
    return state, services


def _store(url: str | None) -> str | None:
    if url is None:
        return None
    if split_url(url)[0] != "s3":
        raise StackOptionError(
            f"--s3 {url}: expected s3://bucket/prefix, with AWS_ENDPOINT_URL for a server of your own"
        )
    return open_store(url).root


def _address(url: str | None) -> str | None:
    if url is None:
        return None
    if not url.startswith(("http://", "https://")):
        raise StackOptionError(f"--prefect-api {url}: expected an address such as http://127.0.0.1:4200/api")
    if "@" in url.split("/")[2]:
        raise StackOptionError(
            "--prefect-api must not carry a login", "set PREFECT_API_AUTH_STRING=user:password instead"
        )
    return url.rstrip("/")
