"""Who else could give orders to the Prefect server: users without login, pages of other sites, authors of commands."""

from __future__ import annotations

from typing import Any

from flows.doctor.checks import CheckResult, DoctorContext, check, fail, ok, warn
from flows.doctor.prefect_server import api_address, ask, server_settings
from flows.execution.job import TEMPLATE
from flows.stack.services.programs import POOL

_OURS = "`difsims up` does so; by hand, start the server with"
_STRANGER = "somewhere-else.invalid"
_SECONDS = 20
_REFUSED = (400, 403, 421)


@check("Prefect: login", seconds=45, after="Prefect")
def login(_context: DoctorContext) -> CheckResult | None:
    """Look whether the server asks who somebody is; the machine's other users reach it on the loopback too."""
    from prefect.settings import get_current_settings

    code = _code_without_login()
    if code is None:
        return None
    if code in (401, 403):
        return ok("required")
    if get_current_settings().api.auth_string:
        return fail(
            f"this shell has a login, but the server requires none ({code} without one); is it the intended server?",
            "find out who listens there; start `difsims up` without --no-auth, then source its environment again",
        )
    return warn(
        f"none is required ({code} without one): whoever reaches the server can start and change runs",
        f"{_OURS} PREFECT_SERVER_API_AUTH_STRING=user:password, and set PREFECT_API_AUTH_STRING for its clients",
    )


@check("Prefect: other names", seconds=45, after="Prefect")
def other_names(_context: DoctorContext) -> CheckResult | None:
    """Look whether the server answers to any name: one of an attacker's own may lead a browser to it."""
    return _of_stranger({"Host": _STRANGER}, f"the server answers as {_STRANGER} too, so to pages that rename it")


@check("Prefect: other sites", seconds=45, after="Prefect")
def other_sites(_context: DoctorContext) -> CheckResult | None:
    """Look whether pages of other sites, open in a browser that reaches the server, may use it."""
    allowed = server_settings().get("server", {}).get("api", {}).get("cors_allowed_origins")
    if allowed is not None and "*" in allowed.split(","):
        return warn(
            "pages of every site may use it (CORS *)",
            f"{_OURS} PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS=http://… of its own pages",
        )
    return _of_stranger({"Origin": f"http://{_STRANGER}"}, "the server answers to pages of other sites")


@check("Prefect: CSRF", seconds=45, after="Prefect")
def csrf(_context: DoctorContext) -> CheckResult | None:
    """Look whether a change needs a token that pages of other sites cannot read."""
    protected = server_settings().get("server", {}).get("api", {}).get("csrf_protection_enabled")
    if protected is None:
        return None
    if not protected:
        return warn("changes need no token", f"{_OURS} PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED=true")
    return ok("changes need a token")


@check("Prefect: jobs", seconds=45, after="Prefect")
def jobs(_context: DoctorContext) -> CheckResult | None:
    """Look whether who starts a run may choose the command that the worker executes for it."""
    if api_address() is None:
        return None
    known = {"work_pools": {"name": {"any_": [POOL]}}, "limit": 1}
    pools: list[dict[str, Any]] = ask("POST", "/work_pools/filter", known)
    if not pools:
        return None
    template = pools[0].get("base_job_template") or {}
    if template != TEMPLATE:
        free = sorted(set(template.get("variables", {}).get("properties", {})) - {"hours"})
        return warn(
            f"the template of the work pool {POOL!r} is not ours; runs may choose: {', '.join(free) or 'everything'}",
            "`difsims up` closes it again; take workers of difsims alone: "
            "`python -m flows.stack.services.prefect_worker`",
        )
    return ok("runs can choose only a time limit")


def _of_stranger(headers: dict[str, str], problem: str) -> CheckResult | None:
    code = _code_without_login(headers)
    if code is None:
        return None
    if code not in _REFUSED:
        return warn(
            f"{problem} ({code})",
            "start it by `difsims up` or `python -m flows.stack.services.prefect_server start`, or refuse them in "
            "a proxy",
        )
    return ok("refused")


def _code_without_login(headers: dict[str, str] | None = None) -> int | None:
    """Return the status that a stranger gets, None without a server."""
    address = api_address()
    if address is None:
        return None
    import httpx

    return httpx.get(f"{address}/admin/version", headers=headers, timeout=_SECONDS).status_code
