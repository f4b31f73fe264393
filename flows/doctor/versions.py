"""Versions of packages that are known to break Prefect, and its own settings on this machine."""

from __future__ import annotations

import tempfile
from importlib.metadata import PackageNotFoundError, version

from flows.doctor.checks import CheckResult, DoctorContext, check, fail, ok

# package, first version that breaks, what then happens
_TRAPS = (
    ("fastapi", (0, 155), "the Prefect server dies at its start"),
    ("fastapi", (0, 151), "the Prefect server refuses `prefect deploy` (422: it sends nulls)"),
    ("sqlalchemy", (2, 1), "the Prefect scheduler fails every loop, and no schedule ever fires"),
)


@check("packages: versions")
def version_traps(_context: DoctorContext) -> CheckResult:
    """Look for installed versions with which Prefect 3.8 does not work."""
    installed = {package: _version(package) for package, _, _ in _TRAPS}
    wrong: dict[str, tuple[str, str]] = {}
    for package, first_broken, then in _TRAPS:
        number = installed[package]
        if number is None or release(number) >= first_broken:
            limit = min(broken for name, broken, _ in _TRAPS if name == package)
            remedy = f'pip install "{package}<{".".join(map(str, limit))}"'
            wrong.setdefault(package, (f"{package} {number or 'missing'}: {then}", remedy))
    if wrong:
        return fail(*("; ".join(texts) for texts in zip(*wrong.values(), strict=True)))
    return ok(", ".join(f"{package} {number}" for package, number in installed.items()))


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


def release(text: str) -> tuple[int, ...]:
    """Return (major, minor) of a version: 2.1.0b1 → (2, 1)."""
    return tuple(int("".join(filter(str.isdigit, part)) or 0) for part in text.split(".")[:2])


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
