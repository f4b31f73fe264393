"""Prefect's own settings on this machine."""

from __future__ import annotations

import tempfile

from flows.doctor.checks import CheckResult, DoctorContext, check, fail, ok


@check("Prefect: home")
def prefect_home(_context: DoctorContext) -> CheckResult:
    """Look whether Prefect's folder can be written: profiles, the database of a local server, local results."""
    from prefect.settings import get_current_settings

    home = get_current_settings().home
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        return fail(f"{home}: {error.strerror}", "set PREFECT_HOME to a folder that can be written")
    return ok(str(home))


@check("Prefect: credentials")
def credentials_of_prefect(_context: DoctorContext) -> CheckResult | None:
    """Look for two kinds of credentials at once: requests would use one, event streams the other."""
    from prefect.settings import get_current_settings

    api = get_current_settings().api
    if api.key and api.auth_string:
        return fail(
            "PREFECT_API_KEY and PREFECT_API_AUTH_STRING are both set",
            "unset PREFECT_API_KEY: a server of one's own knows the auth string only",
        )
    if api.key:
        return ok("PREFECT_API_KEY is set")
    return ok("PREFECT_API_AUTH_STRING is set") if api.auth_string else None
