"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="DIFSIMS_STORE",
        metavar="URL",
        help="A folder, file:// or s3:// URL [./difsims-store].",
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one key of the document, dotted; may be repeated."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Simulations = Annotated[list[str], typer.Argument(metavar="SIM…", help="Ids or URLs of simulated datasets.")]
Simulation = Annotated[str, typer.Argument(metavar="SIM", help="Id or URL of a simulated dataset.")]
