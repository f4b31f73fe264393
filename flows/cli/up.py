"""Commands of those who operate difsims for themselves or for a group."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from flows.cli.options import without_credentials


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(epilog="Example: difsims up --folder /data/difsims-stack")(up)


def up(
    folder: Annotated[Path, typer.Option("--folder", help="Where its whole state lies.")] = Path("difsims-stack"),
    s3: Annotated[
        str | None,
        typer.Option("--s3", metavar="URL", help="Use this store, with AWS_… set.", callback=without_credentials),
    ] = None,
    prefect_api: Annotated[
        str | None, typer.Option("--prefect-api", metavar="URL", help="Use this Prefect server instead of an own one.")
    ] = None,
    auth: Annotated[
        bool,
        typer.Option(
            "--auth/--no-auth",
            help="Ask for a login to Prefect, kept in the folder's credentials.json. Without one every user of this "
            "machine may start runs, with your rights.",
        ),
    ] = True,
    prefect_port: Annotated[
        int | None, typer.Option("--prefect-port", min=1, max=65535, help="Port of Prefect (default: 4200 when free).")
    ] = None,
    s3_port: Annotated[
        int | None, typer.Option("--s3-port", min=1, max=65535, help="Port of S3 (default: 8333 when free).")
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that each service may take to start.")] = 180,
    deployments: Annotated[Path | None, typer.Option(hidden=True, help="Another prefect.yaml.")] = None,
    heartbeat_timeout: Annotated[
        int | None, typer.Option(min=35, hidden=True, help="Without a heartbeat until Crashed.")
    ] = None,
) -> None:
    """Start the whole platform here: S3 store, Prefect server, deployments, worker; Ctrl-C stops all of it."""
    from flows.cli import console, interruption
    from flows.stack.records.options import UpOptions
    from flows.stack.supervision.heartbeat_automations import HEARTBEAT_TIMEOUT
    from flows.stack.up import Stack

    heartbeat_timeout = heartbeat_timeout or HEARTBEAT_TIMEOUT
    options = UpOptions(folder, s3, prefect_api, s3_port, prefect_port, auth, timeout, deployments, heartbeat_timeout)
    stop = Event()
    with interruption.handled_by(stop.set):
        Stack(options, console.tell).run(stop, lambda text: console.show_text(f"{text}\n"))
