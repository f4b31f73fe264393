"""``difsims doctor`` and ``compile``: whether everything is here that a run needs, and what can be prepared for it."""

from __future__ import annotations

from dataclasses import asdict

import typer

from flows.cli.command_group import FAILED
from flows.cli.options import Json, Store


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""

    @app.command(epilog="Example: difsims doctor --store s3://lab/difsims")
    def doctor(store: Store = None, as_json: Json = False) -> None:
        """Look at store, credentials, Prefect, Dask and disk, and say what to do about each failure."""
        examine_all(store, as_json=as_json)

    app.command("compile", epilog="Example: difsims compile")(compile_ahead)


def examine_all(store: str | None, *, as_json: bool) -> None:
    """Ask all checks and print what they find; ends with 1 when one of them fails.

    Parameters
    ----------
    store
        Root URL of the store; default: ``DIFSIMS_STORE``.
    as_json
        Print JSON instead of a table.
    """
    from flows.settings import quieten_prefect

    quieten_prefect()
    from flows.cli import console
    from flows.doctor.checks import DoctorContext
    from flows.doctor.examine import all_checks, examine

    findings = []
    with console.bar("looking", len(all_checks()), "checks") as progress:
        for finding in examine(DoctorContext(store)):
            findings.append(finding)
            progress(len(findings))
    if as_json:
        console.show_json([asdict(finding) for finding in findings])
    else:
        rows = [
            {"check": item.name, "status": item.status, "found": item.found, "what to do": item.remedy}
            for item in findings
        ]
        console.show_table("difsims doctor", rows)
        count = {status: sum(item.status == status for item in findings) for status in ("ok", "warn", "fail")}
        console.show_line(
            f"{count['ok']} ok, {_counted(count['warn'], 'warning')}, {_counted(count['fail'], 'failure')}"
        )
    if any(item.status == "fail" for item in findings):
        raise typer.Exit(FAILED)


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def compile_ahead() -> None:
    """Compile ahead, once an installation, what the first simulation would else compile (about a minute)."""
    from difsims_core.simulation.compile_kernels import compile_kernels
    from flows.cli import console

    number = compile_kernels()
    console.tell(f"{number} kernels are compiled" if number else "everything was compiled before")
