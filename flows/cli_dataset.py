"""Commands about datasets that run no flow: ``export``, ``verify``."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli_options import Json, Simulation, Store
from flows.command_group import FAILED


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: difsims export sim-0b6e… training.npz")(export)
    app.command(epilog="Example: difsims verify sim-0b6e… --resimulate 2")(verify)


def export(
    item: Annotated[str, typer.Argument(metavar="SIM|CNN", help="Id or URL of a dataset or a trained classifier.")],
    out: Annotated[
        str,
        typer.Argument(metavar="OUT", help="File to write: .npz (large datasets: numbered files), .keras of a model."),
    ],
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Write a dataset as npz, readable with nothing but NumPy, or a model as a file of Keras; prints the files."""
    from difsims_core.storage import layout
    from flows import console

    is_model = layout.is_model_id(item.rstrip("/").rpartition("/")[2])
    name, paths = _export_model(item, out, store) if is_model else _export_dataset(item, out, store)
    if as_json:
        console.show_json({"id": name, "files": paths})
    else:
        for path in paths:
            console.show_line(path)


def _export_dataset(simulation: str, out: str, store: str | None) -> tuple[str, list[str]]:
    from difsims_core.dataset.export import export_npz
    from difsims_core.dataset.open import open_simulation
    from difsims_core.storage.objects import open_store
    from flows import console

    opened = open_simulation(simulation, open_store(store))
    with console.bar("exporting", opened.n_patterns, "patterns") as progress:
        return opened.id, list(export_npz(opened.store, opened.id, out, progress=progress))


def _export_model(model: str, out: str, store: str | None) -> tuple[str, list[str]]:
    from difsims_core.learn.bundle import load_bundle
    from difsims_core.learn.export import export_keras
    from difsims_core.storage.objects import open_store

    bundle = load_bundle(model, open_store(store))
    export_keras(bundle, out)
    return bundle.id, [out]


def verify(
    simulation: Simulation,
    resimulate: Annotated[int, typer.Option(min=0, help="Blocks to simulate again and compare byte by byte.")] = 0,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Recompute the checksums of a dataset; ends with 1 when a block differs."""
    from dataclasses import asdict

    from difsims_core.dataset.open import open_simulation
    from difsims_core.dataset.verify import verify as check
    from difsims_core.storage.objects import open_store
    from flows import console

    opened = open_simulation(simulation, open_store(store))
    with console.bar("verifying", -(-opened.n_patterns // opened.block_rows), "blocks") as progress:
        report = check(opened.store, opened.id, resimulate, progress)
    if as_json:
        console.show_json(asdict(report))
    else:
        again = f", {len(report.resimulated)} simulated again" if report.resimulated else ""
        verdict = "all is well" if report.ok else f"{len(report.failures)} differences"
        console.show_line(f"{report.id}: {report.blocks} blocks checked{again}: {verdict}")
        for warning in report.warnings:
            console.warn(warning)
    if not report.ok:
        for failure in report.failures:
            console.fail(failure)
        raise typer.Exit(FAILED)
