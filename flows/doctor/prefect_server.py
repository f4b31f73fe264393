"""The Prefect server: its answer, version, clock, credentials and the settings that unattended work needs."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

from packaging.version import Version

from flows.doctor.checks import CheckResult, DoctorContext, check, fail, ok, warn
from flows.doctor.s3 import judge_clock
from flows.stack.api import reason_of

_START = "start one with `difsims up` or `prefect server start`, and set PREFECT_API_URL to its address"

_LASTING_LEASES = "prefect.server.concurrency.lease_storage.filesystem"


@check("Prefect", seconds=45)
def reachable(_context: DoctorContext) -> CheckResult:
    """Look whether there is a server that knows us; without an address every command starts one of its own."""
    address = api_address()
    if address is None:
        return warn("PREFECT_API_URL is not set: each command starts a server for itself, no schedule fires", _START)
    import httpx
    from prefect.exceptions import PrefectHTTPStatusError

    try:
        ask("GET", "/admin/version")
    except PrefectHTTPStatusError as error:
        code = error.response.status_code
        if code == 401:
            return fail(f"{address} refuses us ({code})", "set PREFECT_API_AUTH_STRING to user:password of the server")
        if code == 403:
            return fail(
                f"{address} refuses us: {reason_of(error.response)}",
                "set PREFECT_API_URL to the address by which the server knows itself, and its login",
            )
        return fail(f"{address} answers {code}", "is it a Prefect server? the address ends in /api")
    except (httpx.TransportError, OSError) as error:
        return fail(f"{address}: {str(error) or type(error).__name__}", _START)
    return ok(f"{address} answers")


@check("Prefect: version", seconds=45, after="Prefect")
def same_version(_context: DoctorContext) -> CheckResult | None:
    """Look whether server and client are of one version."""
    from prefect import __version__ as own

    server = own if api_address() is None else str(ask("GET", "/admin/version"))
    if server == own:
        return ok(own)
    judge = warn if Version(server).release[:2] == Version(own).release[:2] else fail
    return judge(f"server {server}, client {own}", f'install the same on both sides: pip install "prefect=={server}"')


@check("Prefect: clock", seconds=45, after="Prefect")
def clock(_context: DoctorContext) -> CheckResult | None:
    """Look whether the server and this machine agree on the time: schedules and heartbeats need it."""
    if api_address() is None:
        return None
    asked = time.time()
    headers = respond("GET", "/health").headers
    return judge_clock(headers, (asked + time.time()) / 2, "schedules fire late, live runs look dead")


@check("Prefect: UI", seconds=45, after="Prefect")
def ui(_context: DoctorContext) -> CheckResult | None:
    """Look where the pages of the UI look for the API: elsewhere, they stay empty."""
    address = api_address()
    if address is None or not address.rstrip("/").endswith("/api"):
        return None
    import httpx

    pages = address.rstrip("/").removesuffix("/api")
    answer = httpx.get(f"{pages}/ui-settings", timeout=20)
    if answer.status_code != httpx.codes.OK:
        return None  # a server without UI
    told = str(answer.json().get("api_url", "")).rstrip("/")
    if urlsplit(told).port != urlsplit(address).port:
        return warn(
            f"its pages ask {told} and stay empty; the API is at {address}",
            "start the server with PREFECT_UI_API_URL, or PREFECT_API_URL, at the address that browsers use",
        )
    return ok(f"{pages}, asking {told}")


@check("Prefect: leases", seconds=45, after="Prefect")
def leases(_context: DoctorContext) -> CheckResult | None:
    """Look where the server keeps who holds a concurrency slot: in memory, a restart forgets it."""
    settings = server_settings()
    storage = settings.get("server", {}).get("concurrency", {}).get("lease_storage")
    if storage is None:
        return None
    if storage.endswith(".memory"):
        return warn(
            "in the server's memory: after its restart a slot can stay taken",
            f"start the server with PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE={_LASTING_LEASES}",
        )
    return ok(storage.rsplit(".", 1)[-1])


@check("Prefect: services", seconds=45, after="Prefect")
def services(_context: DoctorContext) -> CheckResult | None:
    """Look whether the services that triggers and schedules need are switched on."""
    found = server_settings().get("server", {}).get("services", {})
    wanted = ("scheduler", "late_runs", "triggers", "task_run_recorder", "event_persister")
    off = [name for name in wanted if name in found and not found[name].get("enabled", True)]
    if off:
        names = " ".join(f"PREFECT_SERVER_SERVICES_{name.upper()}_ENABLED=true" for name in off)
        return fail(f"switched off: {', '.join(off)}", f"give the server {names}")
    return ok(f"{', '.join(name for name in wanted if name in found)} are on") if found else None


def api_address() -> str | None:
    """Return the address of the server, or None when there is none."""
    from prefect.settings import get_current_settings

    return get_current_settings().api.url


def respond(method: str, path: str, body: Any = None) -> Any:
    """Return the server's response, as this installation's own client gets it."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return client.request(method, path, json=body) if body is not None else client.request(method, path)  # pyright: ignore[reportArgumentType]


def ask(method: str, path: str, body: Any = None) -> Any:
    """Return the JSON of the server's response."""
    return respond(method, path, body).json()


def server_settings() -> dict[str, Any]:
    """Return what the server says of its settings; its secrets arrive redacted, and none is shown anyway."""
    return ask("GET", "/admin/settings") if api_address() is not None else {}
