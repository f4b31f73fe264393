"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from difsims_core.storage.names import split_url
from difsims_core.unit_names import QUnit

if TYPE_CHECKING:
    from difsims_core.config.base import Spec

S = TypeVar("S", bound="Spec")


def without_credentials(url: str | None) -> str | None:
    """Refuse a URL with credentials before it can reach a log or a database."""
    if url is not None:
        split_url(url)
    return url


def document_of(kind: type[S], path: Path | None, changes: list[str] | None) -> S:
    """Return the document of a file, or the default one, with the changes of ``--set``."""
    from difsims_core.config.documents import apply_changes, load_spec, make_spec

    if path is not None:
        return load_spec(path, kind, changes or ())
    return make_spec(apply_changes({}, changes or ()), kind, source="--set")


Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="DIFSIMS_STORE",
        metavar="URL",
        help="A folder, file:// or s3:// URL (default: ./difsims-store).",
        callback=without_credentials,
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one key of the document, dotted; may be repeated."),
]
QUnitOfScans = Annotated[
    QUnit | None,
    typer.Option(
        "--q-unit",
        help="Unit of the scans' x (default: q = 1/d in Å⁻¹; what looks like another unit is refused). Pixel numbers "
        "need the calibration first: x = pixel number × Å⁻¹ per pixel.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Patterns = Annotated[
    list[str],
    typer.Argument(metavar="SIM…|SPEC.yaml", help="Ids or URLs of simulated datasets, or a simulation document."),
]
Simulation = Annotated[str, typer.Argument(metavar="SIM", help="Id or URL of a simulated dataset.")]
