"""``difsims intake``: how far each scan is, and a second chance for those given up."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.options import Json, Store

_COLUMNS = ("experiment", "state", "maps", "models", "tries", "at", "reason")


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
    """List the experiments of the store: mapped by how many models, pending, failed or quarantined, with the reason."""
    from dataclasses import asdict

    from difsims_core.models.wanted import wanted_models
    from difsims_core.scans import intake as scans
    from difsims_core.scans.attempts import read_attempts
    from difsims_core.scans.listing import scan_name
    from difsims_core.scans.missing_maps import Inventory
    from difsims_core.storage.objects import open_store
    from flows.cli import console
    from flows.settings import load_settings

    object_store, tries = open_store(store), load_settings().intake_tries
    attempts = [attempt for name in release or () for attempt in scans.release(object_store, name, tries=tries)]
    released = sorted({scan_name(attempt.scan) for attempt in attempts})
    inventory = Inventory.listed(object_store, wanted_models(object_store))
    states = scans.scan_states(inventory, read_attempts(object_store), tries=tries)
    if as_json:
        console.show_json({"released": released, "scans": [asdict(state) for state in states]})
        return
    for name in released:
        console.show_line(f"released {name}; the next round of watch-experiments tries it again")
    if not release:
        rows = [asdict(state) | {"experiment": state.name} for state in states]
        console.show_table("intake", rows, _COLUMNS)
