"""Scans and their maps: ``preprocess``, ``map``, ``intake``, and what ``predict`` and ``evaluate`` say of them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from difsims_core.errors import InputError
from difsims_core.storage import layout
from flows.cli.options import Changes, Json, Store, document_of

if TYPE_CHECKING:
    from difsims_core.results.map_scores import MapScores
    from difsims_core.storage.objects import ObjectStore
    from flows.commands.map_plan import WantedModel

SCORES_EXPLAINED = """\
peak distance: from a measured peak to the nearest position that its phase allows, mean over the phases.
peaks F1: do the peaks of the pixels that a phase claims lie where its crystal allows them (1: all)?
null F1: the best that another phase of the model reaches with the same peaks."""
_MORE_EXPLAINED = """\
better than null: phases whose peaks fit them better than any other phase, of those that can be compared.
confidence: how sure the map is of its pixels, mean; invalid: pixels without a usable profile."""
_Raw = Annotated[
    list[str], typer.Argument(metavar="RAW…", help="Files, folders, globs or s3:// URLs of raw 4D-STEM scans.")
]
_Spec = Annotated[
    Path | None,
    typer.Option("--spec", metavar="PREPROCESSING.yaml", help="Document (default: what the file itself says)."),
]
_Force = Annotated[bool, typer.Option("--force", help="Replace experiments of these names that were made otherwise.")]
_LONG = ("model", "scores", "reused")
_COLUMNS = ("experiment", "state", "maps", "models", "tries", "at", "reason")


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=r"Example: difsims preprocess roi_7.mib --set phases=\[pb,pbi2_2h]")(preprocess)
    app.command("map", epilog="Example: difsims map roi_7.hspy --phases a.cif,b.cif,pbi2_2h")(map_scans)
    app.command(epilog="Example: difsims intake --release roi_7")(intake)


def preprocess(
    ctx: typer.Context,
    raw: _Raw,
    spec: _Spec = None,
    changes: Changes = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Of the experiment (default: that of the file).", show_default=False)
    ] = None,
    force: _Force = False,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Centre, correct and integrate raw 4D-STEM scans into profiles and polar patterns; prints one experiment a line.

    The candidate phases (phases) are needed where the ellipse is fitted to the scan, as it is unless you give it.
    """
    from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
    from flows.cli import console
    from flows.cli.session import run_command

    document = document_of(PreprocessingSpec, spec, changes)
    experiments = run_command(ctx, "preprocess", raw, document, store, name, force=force)
    if as_json:
        console.show_json({"experiments": experiments})
    else:
        for url in experiments:
            console.show_line(url)


def map_scans(  # noqa: PLR0913, PLR0917 one an option
    ctx: typer.Context,
    raw: _Raw,
    phases: Annotated[
        list[str] | None,
        typer.Option(
            "--phases",
            metavar="A,B,C",
            help="All that the specimen may hold: CIF files, or names of the catalogue. Their model is found in the "
            "store, or made.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="CNN",
            help="In the place of phases: id or URL of a trained classifier, or: champion (the default).",
        ),
    ] = None,
    recipe: Annotated[
        Path, typer.Option("--recipe", metavar="PIPELINE.yaml", help="How a model of the phases is made.")
    ] = Path("polar.yaml"),
    spec: _Spec = None,
    changes: Changes = None,
    force: _Force = False,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """From raw 4D-STEM scans to phase maps, scores and a report, in one command.

    With --phases it needs nothing else: a model of these crystals at the beam energy of the scans is taken from the
    store, or made by the recipe, once; what that takes is said before. Stopped, the same command goes on where it was.

    --set changes keys of the preprocessing, such as reading.beam_energy_kv; those that begin with simulation. or
    training. are the recipe's.
    """
    from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
    from difsims_core.experiment.scan_files import raw_scans
    from difsims_core.storage.objects import open_store
    from flows.cli import console
    from flows.cli.session import run_command
    from flows.commands.map_plan import plan_by_model, plan_by_phases
    from flows.execution.item_failures import StageFailures

    if phases and model:
        raise InputError("expected --phases or --model, found both", "a model has its phases: leave out one of them")
    of_recipe = [change for change in changes or () if change.startswith(("simulation.", "training."))]
    if of_recipe and not phases:
        raise InputError(f"{of_recipe[0]} is of the recipe by which a model of phases is made", "name them: --phases")
    document = document_of(PreprocessingSpec, spec, [change for change in changes or () if change not in of_recipe])
    objects, scans = open_store(store), raw_scans(raw)
    if phases:
        plan = plan_by_phases(objects, scans, document, phases, recipe, of_recipe)
    else:
        plan = plan_by_model(objects, len(scans), document, model or "champion")
    for line in plan.story:
        console.tell(line)
    failures = StageFailures()
    experiments = failures.results(
        scans, partial(run_command, ctx, "preprocess", scans, plan.preprocessing, store, force=force)
    )
    maps: list[str] = []
    for number, wanted in enumerate(plan.models):
        own = [
            experiments[scan]
            for scan, by in zip(scans, plan.of_scan, strict=True)
            if by == number and scan in experiments
        ]
        if own:
            predict = partial(run_command, ctx, "predict", _made(ctx, wanted, store), own, store, None, None)
            maps += failures.results(own, predict, among=len(scans)).values()
    if not maps:
        failures.raise_if_any()
    scores = failures.results(
        maps, partial(run_command, ctx, "evaluate", maps, None, None, None, store, plan.also_read)
    )
    show_scores(objects, list(scores.values()), with_truth=False, as_json=as_json)
    failures.raise_if_any()


def _made(ctx: typer.Context, wanted: WantedModel, store: str | None) -> str:
    """Return the id of a model, which is simulated and trained where it is not there; either is resumed."""
    from flows.cli.session import run_command

    if wanted.id is not None:
        return wanted.id
    if wanted.training is not None and wanted.training.source == "stream":
        return run_command(ctx, "train", [], wanted.training, store, wanted.simulation)
    return run_command(ctx, "train", [run_command(ctx, "simulate", wanted.simulation, store)], wanted.training, store)


def intake(
    release: Annotated[
        list[str] | None,
        typer.Option("--release", metavar="NAME", help="Take a quarantined experiment as a new one; may be repeated."),
    ] = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """List the experiments of the store: mapped by how many models, pending, failed or quarantined, with the reason.

    Raw scans are among them until they are preprocessed.
    """
    from dataclasses import asdict

    from difsims_core.models.wanted import wanted_models
    from difsims_core.scans import intake as scans
    from difsims_core.scans.missing_maps import Inventory
    from difsims_core.storage.objects import open_store
    from flows.cli import console
    from flows.commands.intake_states import intake_states
    from flows.settings import load_settings

    object_store, tries = open_store(store), load_settings().intake_tries
    attempts = [attempt for name in release or () for attempt in scans.release(object_store, name, tries=tries)]
    released = sorted({scans.name_of(attempt.scan) for attempt in attempts})
    states = intake_states(object_store, Inventory.listed(object_store, wanted_models(object_store)))
    if as_json:
        console.show_json({"released": released, "scans": [asdict(state) for state in states]})
        return
    for name in released:
        console.show_line(f"released {name}; the next round of watch-experiments tries it again")
    if not release:
        rows = [asdict(state) | {"experiment": state.name} for state in states]
        console.show_table("intake", rows, _COLUMNS)


def require_scans(store: ObjectStore) -> None:
    """Refuse to predict the scans of a store that has none."""
    from difsims_core.scans.listing import list_scans

    if not list_scans(store):
        raise InputError(
            f"{store.url(layout.PROFILES)}: there are no scans to predict",
            "name them, as in: difsims predict CNN scans/*_radial_crop.npz",
        )


def show_predictions(store: ObjectStore, model: str, predictions: list[str], *, as_json: bool) -> None:
    """Print the predictions, one a line; the story says where their pictures and the report lie."""
    from difsims_core.results.map_report import write_map_report
    from difsims_core.storage.names import as_written
    from flows.cli import console

    report, pictures = write_map_report(store, predictions) if predictions else (None, {})
    if as_json:
        url = None if report is None else report.url
        console.show_json({"model": model, "predictions": predictions, "pictures": pictures, "report": url})
        return
    for name, url in pictures.items():
        console.tell(f"picture of {name}: {as_written(url)}")
    if report is not None:
        console.tell(f"report: {as_written(report.url)}")
    for url in predictions:
        console.show_line(url)


def show_scores(store: ObjectStore, scores: list[MapScores], *, with_truth: bool, as_json: bool) -> None:
    """Print the table of scores and what its columns mean, and where pictures and report lie."""
    from dataclasses import asdict

    from difsims_core.results.map_pictures import pictures_of
    from difsims_core.results.map_report import write_score_report
    from difsims_core.storage.names import as_written
    from flows.cli import console
    from flows.ui.summaries import score_row

    report = write_score_report(store, scores, with_truth=with_truth)
    pictures = [store.url(pictures_of(item.model, item.name, with_truth=False).phase_map) for item in scores]
    if as_json:
        places = [{"picture": picture, "report": report.url} for picture in pictures]
        console.show_json([asdict(item) | place for item, place in zip(scores, places, strict=True)])
        return
    rows = [score_row(item) for item in scores]
    console.show_table("evaluation", rows, [name for name in rows[0] if name not in _LONG])
    console.results.print(f"{SCORES_EXPLAINED}\n{_MORE_EXPLAINED}")
    for item, picture in zip(scores, pictures, strict=True):
        console.show_line(f"picture of {item.name}: {as_written(picture)}")
    console.show_line(f"report: {as_written(report.url)}")
