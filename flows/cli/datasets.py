"""Commands about stored items that run no flow: ``export``, ``verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from flows.cli.command_group import FAILED
from flows.cli.options import Json, Store

if TYPE_CHECKING:
    from difsims_core.findings import Findings
    from difsims_core.storage.objects import ObjectStore

_Format = Literal["npz", "zarr", "h5", "png", "tiff", "ipf", "hspy", "ang", "zspy"]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        epilog="Example: difsims export sim-0b6e… training.npz · difsims export roi_3_probability_pred.npz m.png"
    )(export)
    app.command(epilog="Example: difsims verify sim-0b6e… --resimulate 2 · difsims verify --store s3://bucket")(verify)


def export(
    item: Annotated[
        str,
        typer.Argument(
            metavar="SIM|CNN|MAP|EXPERIMENT",
            help="Id or URL of a dataset or a trained classifier, champion, the file of a map, …_pred.npz, or the name "
            "of an experiment.",
        ),
    ],
    out: Annotated[
        str,
        typer.Argument(
            metavar="OUT",
            help="File to write: .npz (large datasets: numbered files), .zarr or .h5; of a model: .keras; of a map: "
            ".png, .tiff (labels), .hspy (HyperSpy), .h5 (orix) or .ang (MTEX, EDAX OIM); of an experiment: .zspy "
            "(HyperSpy).",
        ),
    ],
    file_format: Annotated[
        _Format | None, typer.Option("--format", help="Of a dataset or map (default: as OUT ends).", show_default=False)
    ] = None,
    scan_step: Annotated[
        float | None, typer.Option("--scan-step", metavar="NM", help="Of a map: distance of neighbouring pixels in nm.")
    ] = None,
    crystals: Annotated[
        str | None, typer.Option(help="Of a map: folder of CIF files (default: those of its datasets).")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT when it exists.")] = False,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Write a dataset as npz (for NumPy alone), Zarr or HDF5, a model as a file of Keras, a map as a picture or for
    HyperSpy, orix and MTEX, an experiment's polar patterns for HyperSpy; prints the files.

    It runs here, with PREFECT_API_URL too; the deployment export/local writes files into the store, with links.
    """
    from difsims_core.errors import InputError
    from difsims_core.models.registry import resolve_model
    from difsims_core.storage import layout
    from difsims_core.storage.npz.contracts import PREDICTION_ENDINGS
    from difsims_core.storage.objects import open_store
    from flows.cli import console

    object_store = open_store(store)
    is_map = item.endswith(PREDICTION_ENDINGS)
    if not is_map and (scan_step is not None or crystals is not None):
        raise InputError(f"--scan-step and --crystals are for maps, and {item} is none", "leave them out")
    is_experiment = file_format == "zspy" or out.rstrip("/").endswith(".zspy")
    item = item if is_map or is_experiment else resolve_model(object_store, item)
    if is_experiment:
        name, paths = _export_experiment(item, out, object_store, force=force)
    elif is_map:
        name, paths = _export_map(item, out, object_store, file_format, crystals, scan_step, force=force)
    elif not layout.is_model_id(item.rstrip("/").rpartition("/")[2]):
        name, paths = _export_dataset(item, out, object_store, file_format, force=force)
    elif file_format is None:
        name, paths = _export_model(item, out, object_store, force=force)
    else:
        raise InputError(f"--format is for datasets, and {item} is a model", "leave it out: models are .keras")
    if as_json:
        console.show_json({"id": name, "files": paths})
    else:
        for path in paths:
            console.show_line(path)


def _export_map(
    prediction: str,
    out: str,
    store: ObjectStore,
    file_format: _Format | None,
    crystals: str | None,
    scan_step_nm: float | None,
    *,
    force: bool,
) -> tuple[str, list[str]]:
    from difsims_core.results.maps.formats import export_map
    from difsims_core.storage.npz.contracts import predicted_name

    written = export_map(
        prediction,
        out,
        file_format,
        store=store.root,
        crystals=crystals,
        scan_step_nm=scan_step_nm,
        overwrite=force,
    )
    return predicted_name(prediction), [written]


def _export_experiment(experiment: str, out: str, store: ObjectStore, *, force: bool) -> tuple[str, list[str]]:
    from difsims_core.experiment.write.open import open_experiment
    from difsims_core.experiment.write.zspy import export_zspy

    opened = open_experiment(experiment, store)
    return opened.name, [export_zspy(opened, out, overwrite=force)]


def _export_dataset(
    simulation: str, out: str, store: ObjectStore, file_format: _Format | None, *, force: bool
) -> tuple[str, list[str]]:
    from difsims_core.dataset.export.formats import export_dataset
    from difsims_core.dataset.open import open_simulation
    from flows.cli import console

    opened = open_simulation(simulation, store)
    with console.bar("exporting", opened.n_patterns, "patterns") as progress:
        return opened.id, export_dataset(opened, out, file_format, overwrite=force, progress=progress)


def _export_model(model: str, out: str, store: ObjectStore, *, force: bool) -> tuple[str, list[str]]:
    from difsims_core.learn.bundle import load_bundle
    from difsims_core.learn.export import export_keras

    bundle = load_bundle(model, store)
    export_keras(bundle, out, overwrite=force)
    return bundle.id, [out]


def verify(
    items: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ITEM…]",
            help="Ids of datasets, models and libraries, URLs of the first two, names or URLs of preprocessed scans, "
            "URLs of predictions (default: everything in the store).",
            show_default=False,
        ),
    ] = None,
    resimulate: Annotated[int, typer.Option(min=0, help="Blocks of a dataset to simulate again and compare.")] = 0,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Compare datasets, libraries, models, experiments and maps with their checksums; ends with 1 if any differs."""
    from dataclasses import asdict

    from difsims_core.errors import InputError
    from difsims_core.housekeeping.verify_store import verify_item, verify_store
    from difsims_core.storage.objects import open_store
    from flows.cli import console

    opened, checked = open_store(store), []
    if resimulate and not items:
        raise InputError("--resimulate needs the ids of datasets: `difsims verify sim-… --resimulate 2`")
    with console.bar("verifying", len(items or ()), "items") as progress:
        checking = (verify_item(opened, item, resimulate) for item in items) if items else verify_store(opened)
        for number, findings in enumerate(checking, start=1):
            checked.append(findings)
            progress(number)
    if not checked:
        raise InputError(f"{opened.root}: there is nothing to verify", "check the store (DIFSIMS_STORE)")
    if as_json:
        console.show_json([{"ok": findings.ok, **asdict(findings)} for findings in checked])
    else:
        _show(checked)
    if not all(findings.ok for findings in checked):
        raise typer.Exit(FAILED)


def _show(checked: list[Findings]) -> None:
    from flows.cli import console

    for findings in checked:
        verdict = "all is well" if findings.ok else f"failed, findings: {len(findings.failures)}"
        console.show_line(f"{findings.kind} {findings.id}: {verdict}")
        for warning in findings.warnings:
            console.warn(warning)
        for failure in findings.failures:
            console.fail(failure)
