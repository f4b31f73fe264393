"""Ask all checks, each within its time limit; one that fails or hangs never stops the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module

from difsims_core.errors import DifsimsError
from difsims_core.messages import without_secrets
from flows.doctor.checks import CHECKS, Check, CheckResult, DoctorContext, Finding
from flows.execution.background import in_background

# In the order in which they are asked and shown; a new family is a file and a name here.
_FAMILIES = (
    "settings",
    "machine",
    "versions",
    "s3",
    "store",
    "prefect_client",
    "prefect_server",
    "prefect_access",
    "prefect_work",
    "dask",
)


def examine(context: DoctorContext, checks: Sequence[Check] | None = None) -> Iterator[Finding]:
    """Yield what each check finds, in order; those that need a failed one are named in the end.

    Parameters
    ----------
    context
        What is examined.
    checks
        Which checks; default: all of them.
    """
    failed: set[str] = set()
    waiting: list[str] = []
    for check in checks if checks is not None else all_checks():
        if check.after in failed:
            failed.add(check.name)
            waiting.append(check.name)
            continue
        answer = _asked(check, context)
        if answer is None:
            continue
        if answer.status == "fail":
            failed.add(check.name)
        yield Finding(check.name, answer.status, without_secrets(answer.found), without_secrets(answer.remedy))
    if waiting:
        yield Finding("others", "warn", f"skipped: {', '.join(waiting)}", "fix the failures above, then run it again")


def all_checks() -> list[Check]:
    """Return every check, in the order of the families."""
    for family in _FAMILIES:
        import_module(f"flows.doctor.{family}")
    return sorted((CHECKS[name] for name in CHECKS.names()), key=_position)


def _position(check: Check) -> tuple[int, int]:
    """Return the position of a check: by family, whichever file was imported first, then as in its file."""
    return _FAMILIES.index(check.ask.__module__.rpartition(".")[2]), check.number


def _asked(check: Check, context: DoctorContext) -> CheckResult | None:
    future = in_background(lambda: check.ask(context), "doctor")
    try:
        return future.result(check.seconds)
    except TimeoutError:
        if not future.done():
            return CheckResult(
                "fail", f"no answer within {check.seconds:.0f} s", "check whether it is overloaded or behind a firewall"
            )
        return _of_error(TimeoutError("timed out"))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what was found
        return _of_error(error)


def _of_error(error: Exception) -> CheckResult:
    """Return an error as the result of a check."""
    known = isinstance(error, DifsimsError)
    found = " ".join((error.problem if known else str(error)).split())
    if not known:
        found = f"{type(error).__name__}: {found}" if found else type(error).__name__
    remedy = error.remedy if known else ""
    return CheckResult("fail", found, remedy or "fix the cause that the message names, then run the doctor again")
