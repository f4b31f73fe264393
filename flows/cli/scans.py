"""``difsims intake``: the scans that were seen, and a second chance for those given up."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.options import Json, Store

_COLUMNS = ("experiment", "state", "since", "tries", "reason")


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog="Example: difsims intake --release roi_7")(intake)


def intake(
    release: Annotated[
        list[str] | None,
        typer.Option("--release", metavar="NAME", help="Take a quarantined experiment as a new one; may be repeated."),
    ] = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """List the experiments that were seen: arriving, announced, done, failed or quarantined, with the reason."""
    from dataclasses import asdict

    from difsims_core.scans import intake
    from difsims_core.storage.objects import open_store
    from flows.cli import console

    place = open_store(store)
    released = [intake.release(place, name) for name in release or ()]
    entries = sorted(intake.read_entries(place).values(), key=lambda entry: (entry.since, entry.key), reverse=True)
    if as_json:
        released_names = [entry.name for entry in released]
        console.show_json({"released": released_names, "scans": [asdict(entry) for entry in entries]})
        return
    for entry in released:
        console.show_line(f"released {entry.name}; the next round of watch-experiments looks at it again")
    if not release:
        rows = [asdict(entry) | {"experiment": entry.name} for entry in entries]
        console.show_table("intake", rows, _COLUMNS)
