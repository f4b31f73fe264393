"""``difsims convert``: legacy documents, and one's own store of an earlier version."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from difsims_core.errors import DifsimsError, InputError
from flows.cli.command_group import FAILED
from flows.cli.options import Json, Store

if TYPE_CHECKING:
    from difsims_core.storage.objects import ObjectStore

Step = tuple[str, Callable[[], list[str]]]
"""What is converted, by the name that is shown, and how; the lines tell of what was in an earlier form."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: difsims convert legacy.yaml -o converted.yaml (legacy.yaml comes along)")(convert)


def convert(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="OLD.yml|STORE|ID…",
            help="A document (YAML with !pspace and !pdim, or JSON); or a store by its folder or URL, or ids of models "
            "and datasets in the store of --store.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="NEW.yaml", help="Of a document: file to write (default: standard output)."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace NEW.yaml when it exists.")] = False,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Bring a legacy document, or a store of an earlier version, into today's form.

    A document goes to standard output, with a warning for each changed meaning.

    What is in a store is converted where it lies, item by item; repeated, it resumes where it was stopped. Convert only
    a store that you yourself wrote: its models are files of Keras, which can be made to attack whoever reads them.
    Nothing but this command reads them.
    """
    ids = [item for item in what if _is_id(item)]
    stores = [item for item in what if item not in ids and ("://" in item or _is_folder(item))]
    documents = [item for item in what if item not in ids and item not in stores]
    if documents:
        if len(what) > 1:
            raise InputError(f"{documents[0]}: one document is converted at a time", "name it alone")
        convert_document(Path(documents[0]), out, overwrite=overwrite, as_json=as_json)
        return
    if out is not None:
        raise InputError("-o is for a document; a store is converted where it lies")
    convert_stores(_steps(ids, stores, store), as_json=as_json)


def convert_document(old: Path, out: Path | None, *, overwrite: bool, as_json: bool) -> None:
    """Write a legacy document as one of ours; what there is to say goes to standard error."""
    from difsims_core.config.legacy.convert import convert_document as convert
    from difsims_core.config.legacy.write import write_conversion
    from difsims_core.errors import SpecError
    from difsims_core.version import __version__
    from flows.cli import console

    if out is not None:
        if out.suffix not in (".yaml", ".yml"):
            raise SpecError(f"{out}: expected a name that ends in .yaml: it is YAML that is written")
        if out.exists() and (not overwrite or out.samefile(old)):
            remedy = "choose another name" if overwrite else "choose another name, or --overwrite"
            raise SpecError(f"{out}: exists already", remedy)
    conversion = convert(old)
    for finding in conversion.findings:
        console.warn(str(finding))
    text = write_conversion(conversion, __version__)
    if out is not None:
        try:
            out.write_text(text, encoding="utf-8")
        except OSError as error:
            raise SpecError(f"{out}: cannot be written ({error.strerror})", "check the folder") from None
    if as_json:
        findings = [{"key": finding.key, "text": finding.text} for finding in conversion.findings]
        points = len(conversion.sweep.points)
        console.show_json(
            {"file": str(out) if out else None, "points": points, "warnings": findings, "document": conversion.document}
        )
    elif out is None:
        console.show_text(text)
    else:
        console.show_line(str(out))


def convert_stores(steps: Iterator[Step], *, as_json: bool) -> None:
    """Do every step, whatever becomes of the others, and print a line for each; ends with 1 when one failed."""
    from difsims_core.messages import first_line
    from flows.cli import console

    done: list[str] = []
    failed: dict[str, str] = {}
    for name, work in steps:
        try:
            lines = work() or [f"{name}: is in today's form"]
        except Exception as error:  # noqa: BLE001 one bad item never stops the others
            unexpected = "" if isinstance(error, DifsimsError) else f"unexpected {type(error).__name__}: "
            failed[name] = f"{unexpected}{first_line(error)}"
            console.fail(f"{name}: {failed[name]}")
            continue
        done += lines
        if not as_json:
            for line in lines:
                console.show_line(line)
    if as_json:
        console.show_json({"converted": done, "failed": failed})
    if failed:
        raise typer.Exit(FAILED)


def _steps(ids: list[str], stores: list[str], default: str | None) -> Iterator[Step]:
    from difsims_core.storage import layout
    from difsims_core.storage.ids import expand_id
    from difsims_core.storage.objects import open_store

    if ids:
        object_store = open_store(default)
        for item in [expand_id(object_store, item) for item in ids]:
            yield _model(object_store, item) if layout.is_model_id(item) else _dataset(object_store, item)
    for url in stores:
        yield from _whole_store(open_store(url))


def _whole_store(object_store: ObjectStore) -> Iterator[Step]:
    """Yield what there is to do in a store; a model without a record is none, and a dataset that was never begun."""
    from difsims_core.storage import layout
    from difsims_core.storage.ids import list_models, list_simulations
    from difsims_core.storage.zarr.arrays import ROOT_DOCUMENT

    for name in list_simulations(object_store):
        if object_store.exists(f"{layout.simulation(name)}/{ROOT_DOCUMENT}"):
            yield _dataset(object_store, name)
    for name in list_models(object_store):
        if object_store.exists(layout.model_record(name)):
            yield _model(object_store, name)
    yield _records(object_store)


def _model(object_store: ObjectStore, name: str) -> Step:
    def work() -> list[str]:
        from difsims_core.learn.convert import convert_model

        return [f"converted {name}"] * convert_model(object_store, name)

    return name, work


def _dataset(object_store: ObjectStore, name: str) -> Step:
    def work() -> list[str]:
        from difsims_core.dataset.convert import convert_dataset

        return [f"converted {name}"] * convert_dataset(object_store, name)

    return name, work


def _records(object_store: ObjectStore) -> Step:
    def work() -> list[str]:
        from difsims_core.housekeeping.convert import convert_records

        return convert_records(object_store)

    return f"{object_store.root}: registry, intake, predictions and scores", work


def _is_id(text: str) -> bool:
    from difsims_core.storage import layout
    from difsims_core.storage.ids import is_beginning

    return layout.is_model_id(text) or layout.is_simulation_id(text) or is_beginning(text)


def _is_folder(path: str) -> bool:
    return os.path.isdir(os.path.expanduser(path))  # noqa: PTH111, PTH112 pathlib raises when a name is too long
