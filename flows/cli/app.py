"""The command line ``difsims``: a thin face over the functions that deployments run as flows (docs/architecture.md §6).

Prefect and TensorFlow take seconds to load; only the commands that need them load them.
"""

from __future__ import annotations

import gc
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli import convert, datasets, doctor, interruption, models, phases, scans, up
from flows.cli.command_group import CommandGroup
from flows.cli.options import Changes, Json, Patterns, QUnitOfScans, Store, document_of, without_credentials

_COLLECTIONS = (10_000, 20, 20)
"""Loading modules makes a million objects that stay; collected at Python's own thresholds (700, 10, 10), each is looked
at several times, a sixth of the time of a command."""

app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Options --verbose, --debug and --prefect are understood by every command. Exit codes: 0 done, 1 failed, "
    "2 misused.",
)


def _show_version(asked: bool) -> None:
    if asked:
        from difsims_core.version import __version__

        typer.echo(f"difsims {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    ctx: typer.Context,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show the log of Prefect too.")] = False,
    prefect: Annotated[
        bool, typer.Option("--prefect", help="Run as a flow, on a Prefect server of its own where none is set.")
    ] = False,
    _debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Which crystal phase sits where: simulate diffraction profiles, train classifiers, map phases in scans."""
    from flows.cli import console

    ctx.obj = {"verbose": verbose, "prefect": prefect}
    console.tell_compiling()


@app.command(epilog="Example: difsims demo --store /tmp/difsims")
def demo(
    ctx: typer.Context,
    store: Store = None,
    patterns: Annotated[int, typer.Option(min=300, help="Patterns of an epoch, all phases together.")] = 30_000,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs; each simulates patterns of its own.")] = 4,
    as_json: Json = False,
) -> None:
    """Go the whole way once: simulate, train, map the sample scans, score, report (within five minutes)."""
    from flows.cli.demo import run_demo

    run_demo(store, patterns, epochs, verbose=ctx.obj["verbose"], as_json=as_json)


@app.command(
    epilog="Example: difsims simulate reference.yaml --set n_patterns=300000 --set seed=11 --store s3://lab/difsims"
)
def simulate(
    ctx: typer.Context,
    spec: Annotated[
        Path | None,
        typer.Argument(metavar="[SPEC.yaml]", help="A file, or a shipped document (default: reference.yaml)."),
    ] = None,
    changes: Changes = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Simulate a dataset, or one for each point of a sweep; ids come last. The same document again finds them."""
    from flows.cli.simulate import simulate_document

    simulate_document(ctx, spec, changes or [], store, as_json=as_json)


@app.command(epilog="Example: difsims train sim-0b6e… --set epochs=10 · difsims train realistic.yaml --set epochs=10")
def train(
    ctx: typer.Context,
    patterns: Patterns,
    spec: Annotated[
        Path | None, typer.Option("--spec", metavar="TRAINING.yaml", help="Document (default: its own).")
    ] = None,
    changes: Changes = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Train a classifier; the last line is its id.

    Of a simulation document nothing is stored: every epoch trains on fresh patterns, as many as it says. --set changes
    keys of the training; those that begin with simulation. are the document's.
    """
    from flows.cli.train import train_on

    train_on(ctx, patterns, spec, changes or [], store, as_json=as_json)


@app.command(epilog="Example: difsims predict cnn-7c1d… scans/*_radial_crop.npz s3://lab/scans/*.npz")
def predict(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="CNN", help="Id or URL of a trained classifier, or: champion.")],
    experiments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[EXPERIMENT…]",
            help="Files, folders, globs or s3:// URLs (default: all below experiments/profiles/ of the store).",
        ),
    ] = None,
    q_unit: QUnitOfScans = None,
    beam_energy: Annotated[
        float | None,
        typer.Option(
            "--beam-energy", metavar="KV", help="Of the scans, for --q-unit mrad (default: as in the simulations)."
        ),
    ] = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Map the phases of measured profiles, draw them and write a report; prints one prediction file a line."""
    from difsims_core.learn.bundle import load_bundle
    from difsims_core.models.registry import resolve_model
    from difsims_core.storage.objects import expand_urls, open_store

    files, object_store = expand_urls(experiments or ()), open_store(store)
    if not files:
        scans.require_scans(object_store)
    model_id = load_bundle(resolve_model(object_store, model), object_store).id
    predictions = _run(ctx, "predict", model, files, store, q_unit, beam_energy)
    scans.show_predictions(object_store, model_id, predictions, as_json=as_json)


@app.command(epilog="Example: difsims evaluate predictions/cnn-7c1d… --experiments scans --truth scans/truth")
def evaluate(
    ctx: typer.Context,
    predictions: Annotated[
        list[str], typer.Argument(metavar="PREDICTION…", help="Files, folders, globs or s3:// URLs.")
    ],
    experiments: Annotated[
        str | None,
        typer.Option(
            "--experiments",
            metavar="FOLDER",
            help="Where the scans lie (default: as the predictions say, in the store).",
        ),
    ] = None,
    crystals: Annotated[
        str | None,
        typer.Option(
            "--crystals", metavar="FOLDER", help="CIF files (default: those of the dataset, or the shipped ones)."
        ),
    ] = None,
    truth: Annotated[
        str | None, typer.Option("--truth", metavar="FOLDER", help="Where <name>_truth.npz maps lie.")
    ] = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Score predicted maps by peak positions, without labels, and against truth where there is any; writes a report."""
    from difsims_core.storage.objects import expand_urls, open_store

    for folder in (experiments, truth, crystals):
        without_credentials(folder)
    maps = expand_urls(predictions)
    scores = _run(ctx, "evaluate", maps, experiments, truth, crystals, store)
    scans.show_scores(open_store(store), scores, with_truth=truth is not None, as_json=as_json)


@app.command(epilog="Example: difsims pipeline pipeline.yaml --set simulation.n_patterns=100000")
def pipeline(
    ctx: typer.Context,
    spec: Annotated[
        Path,
        typer.Argument(metavar="SPEC.yaml", help="A file, or the shipped pipeline.yaml, which shows the sections."),
    ],
    changes: Changes = None,
    q_unit: QUnitOfScans = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Simulate, train, predict, evaluate and report as one document says; the last line is the report."""
    from difsims_core.config.documents import load_spec
    from difsims_core.config.pipeline import PipelineSpec
    from flows.cli import console

    stated = [] if q_unit is None else [f"q_unit={q_unit}"]
    document = load_spec(spec, PipelineSpec, [*(changes or ()), *stated])
    outcome = _run_flow(ctx, "pipeline", document, store)
    console.show_json(asdict(outcome)) if as_json else console.show_line(outcome.report)


@app.command(epilog="Example: difsims retrain --set training.epochs=20 --store s3://lab/difsims")
def retrain(
    ctx: typer.Context,
    spec: Annotated[
        Path | None,
        typer.Argument(
            metavar="[SPEC.yaml]", help="Sections datasets, simulation, training, rule, ….", show_default=False
        ),
    ] = None,
    changes: Changes = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Train a challenger when anything is new, and promote it where the rule says so; the last line is the champion."""
    from difsims_core.config.retraining import RetrainingSpec
    from flows.cli import console

    document = document_of(RetrainingSpec, spec, changes)
    if dry_run:
        from flows.cli.train import show_plan

        show_plan(document, store, as_json=as_json)
        return
    outcome = _run_flow(ctx, "retrain", document, store)
    console.show_json(outcome) if as_json else console.show_line(outcome["champion"] or "no champion")


@app.command(epilog="Example: difsims watch --store s3://lab/difsims")
def watch(ctx: typer.Context, store: Store = None, as_json: Json = False) -> None:
    """Preprocess, map and evaluate what scans of the store lack, once; prints one URL a line.

    A raw scan is noted by the first round that sees it, and taken by a later one that finds it unchanged.
    """
    from flows.cli import console

    started = _run_flow(ctx, "watch_experiments", store, module="watch")
    if as_json:
        console.show_json(started)
    else:
        for url in started:
            console.show_line(url)


for commands in (convert, datasets, phases, up, doctor, models, scans):
    commands.register(app)


def _run(ctx: typer.Context, name: str, *arguments: Any) -> Any:
    from flows.cli.session import run_command

    return run_command(ctx, name, *arguments)


def _run_flow(ctx: typer.Context, name: str, *arguments: Any, module: str = "") -> Any:
    from flows.cli.session import run_flow

    return run_flow(name, *arguments, module=module, verbose=ctx.obj["verbose"])


def main() -> None:
    """Run the command line."""
    gc.set_threshold(*_COLLECTIONS)
    interruption.install()
    app()


if __name__ == "__main__":
    main()
