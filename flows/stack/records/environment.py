"""What processes must know of the services of a stack: those that it starts, and the user's own shell."""

from __future__ import annotations

import os
import shlex
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import flows
from difsims_core.version import __version__
from flows.settings import QUIET_PREFECT
from flows.stack.records.credentials import Credentials, KeyPair
from flows.stack.records.folder import StackFolder, write_private
from flows.stack.services.ports import LOOPBACK
from flows.stack.services.programs import BUCKET

MARK = "DIFSIMS_STACK"
_REGION = "us-east-1"  # SeaweedFS has none; the signature of a request must name one
# What in a shell leads to other services than the stack's, in the names of botocore and Prefect.
_PLACES = ("PREFECT_PROFILE", "PREFECT_PROFILES_PATH", "PREFECT_API_KEY")
_ELSEWHERE = (
    "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "AWS_DEFAULT_REGION",
    "AWS_CA_BUNDLE", "PREFECT_API_URL", "PREFECT_API_AUTH_STRING", *_PLACES,
)  # fmt: skip
_OF_PREFECT = {"PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING"}
_OF_S3 = ("AWS_", "WEED_")  # the latter would be other keys for SeaweedFS's side doors
_HERE = f"{LOOPBACK},localhost"
_WORKER = {
    "DIFSIMS_SIMULATIONS_A_MACHINE": "1",
    "PREFECT_WORKER_QUERY_SECONDS": "3",
    # Ahead of their time, ten seconds by default, runs that wait for a slot would be asked for it again every time.
    "PREFECT_WORKER_PREFETCH_SECONDS": "1",
    # A flow outlives a restart of the server, which takes half a minute and more.
    "PREFECT_CLIENT_MAX_RETRIES": "8",
}

_SERVER = {
    # In memory, the default, a killed server would forget who holds which slot, and the slot would be lost for good.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "10",
    # An hour ahead, the default, would be sixty runs of the watch waiting after a night's pause.
    "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME": "PT10M",
}


# Not for the user's shell to change: the doors of the server that `flows.stack.services.same_origin` does not shut.
_SERVER_DOORS = {
    "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true",
    "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "true",
}


@dataclass(frozen=True, slots=True)
class Services:
    """Where store and Prefect API are.

    Attributes
    ----------
    credentials : Credentials
        Of the services that are the stack's own.
    s3_port, prefect_port : int or None
        Of the stack's own services; None: an existing one is used.
    s3, prefect_api : str or None
        Root URL of the store and address of the API where existing ones are used. Their credentials come from the
        environment of ``difsims up`` (``AWS_…``, ``PREFECT_API_AUTH_STRING``) and are not kept.
    """

    credentials: Credentials
    s3_port: int | None = None
    prefect_port: int | None = None
    s3: str | None = None
    prefect_api: str | None = None

    @property
    def store(self) -> str:
        """Root URL of the store."""
        return self.s3 or f"s3://{BUCKET}"

    @property
    def endpoint(self) -> str | None:
        """Address of the stack's own S3 server."""
        return None if self.s3 else f"http://{LOOPBACK}:{self.s3_port}"

    @property
    def api(self) -> str:
        """Address of the Prefect API."""
        return self.prefect_api or f"http://{LOOPBACK}:{self.prefect_port}/api"

    @property
    def pages(self) -> tuple[str, ...]:
        """Origins of the pages of the stack's own Prefect server: the names under which a browser here finds it."""
        return tuple(f"http://{name}:{self.prefect_port}" for name in (LOOPBACK, "localhost"))

    @property
    def login(self) -> str | None:
        """``user:password`` for the Prefect API."""
        return os.environ.get("PREFECT_API_AUTH_STRING") if self.prefect_api else self.credentials.login

    def variables(self, pair: KeyPair | None = None) -> dict[str, str]:
        """Return the variables of a user of the services, by default the one who may do everything."""
        found = {"DIFSIMS_STORE": self.store, "PREFECT_API_URL": self.api}
        if self.endpoint:
            pair = pair or self.credentials.admin
            found |= {
                "AWS_ENDPOINT_URL": self.endpoint,
                "AWS_REGION": _REGION,
                "AWS_ACCESS_KEY_ID": pair.access_key,
                "AWS_SECRET_ACCESS_KEY": pair.secret_key,
            }
        if not self.prefect_api and self.login:
            found["PREFECT_API_AUTH_STRING"] = self.login
        return found

    def past_proxies(self) -> dict[str, str]:
        """Return what keeps logins and data for services of this machine from a proxy that the shell names."""
        if self.s3 and self.prefect_api:
            return {}
        found = os.environ.get("no_proxy") or os.environ.get("NO_PROXY", "")
        return dict.fromkeys(("NO_PROXY", "no_proxy"), f"{found},{_HERE}")

    def replaced(self) -> list[str]:
        """Return the variables of this process's environment that would lead to another service than the stack's."""
        return [name for name in os.environ if self.replaces(name)]

    def replaces(self, name: str) -> bool:
        """Return whether a variable of the user's shell speaks of a service that the stack has of its own."""
        if name.startswith(_OF_S3):
            return self.s3 is None
        if name in _OF_PREFECT:
            return self.prefect_api is None
        return name in {*_PLACES, MARK}


def program_environment(folder: StackFolder, stack: str, services: Services) -> dict[str, str]:
    """Return the environment of all programs; it holds secrets and is inherited, never written down.

    What the user's shell sets wins over our defaults, not over where the services are.
    """
    shell = {name: value for name, value in os.environ.items() if not services.replaces(name)}
    server = {}
    if services.prefect_api is None:
        server = {**_SERVER_DOORS, "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": ",".join(services.pages)}
        if services.login:
            server["PREFECT_SERVER_API_AUTH_STRING"] = services.login
    return {
        **QUIET_PREFECT,
        **_WORKER,
        **(_SERVER if services.prefect_api is None else {}),
        **shell,
        **services.variables(),
        **services.past_proxies(),
        **server,
        "DIFSIMS_VERSION": __version__,
        "PATH": os.pathsep.join(filter(None, [str(Path(sys.executable).parent), shell.get("PATH")])),
        "PREFECT_HOME": str(folder.prefect_home),
        "PYTHONPATH": python_path(shell.get("PYTHONPATH", "")),
        "PYTHONUNBUFFERED": "1",
        MARK: stack,
    }


def write_environments(folder: StackFolder, services: Services) -> None:
    """Write the files that a user sources to work with the stack; only he may read them.

    What his shell may have of other services is unset. The file for readers has no login to Prefect: it knows one
    alone, and with it flows write to the store. Then it has not the address either: flows start a server of their own.
    """
    shared = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": QUIET_PREFECT["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]}
    for path, pair in (
        (folder.environment, services.credentials.admin),
        (folder.reader_environment, services.credentials.reader),
    ):
        variables = services.variables(pair) | shared
        if path == folder.reader_environment and variables.pop("PREFECT_API_AUTH_STRING", None):
            del variables["PREFECT_API_URL"]
        others = " ".join(name for name in _ELSEWHERE if services.replaces(name) and name not in variables)
        lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
        if services.past_proxies():
            lines += [f'export NO_PROXY="${{no_proxy:-${{NO_PROXY-}}}},{_HERE}"', 'export no_proxy="$NO_PROXY"']
        first = [f"# Written by `difsims up`. Use it with: source {path}", *([f"unset {others}"] if others else [])]
        write_private(path, "\n".join([*first, *lines, ""]))


def python_path(inherited: str) -> str:
    """Return a path on which the flows are found from any directory; an installed package needs none."""
    root = Path(flows.__file__).resolve().parent.parent
    if root in {Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")}:
        return inherited
    return os.pathsep.join(dict.fromkeys([str(root), *filter(None, inherited.split(os.pathsep))]))
