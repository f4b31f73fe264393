"""What ``difsims train`` does with datasets or a document, and what ``difsims retrain --dry-run`` says."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from difsims_core.errors import InputError
from flows.cli import console
from flows.cli.options import document_of

if TYPE_CHECKING:
    import typer

    from difsims_core.config.retraining import RetrainingSpec
    from difsims_core.config.simulation import SimulationSpec
    from difsims_core.models.retraining_plan import RetrainingPlan

_NAMED = 12
_DOCUMENTS = (".yaml", ".yml", ".json")
_TRAINING, _SIMULATION = "training.", "simulation."


def train_on(
    ctx: typer.Context, patterns: list[str], spec: Path | None, changes: list[str], store: str | None, *, as_json: bool
) -> None:
    """Train a classifier on datasets, or on fresh patterns of a document, and print its id."""
    from difsims_core.config.learning import TrainingSpec

    of_simulation = [change.removeprefix(_SIMULATION) for change in changes if change.startswith(_SIMULATION)]
    of_training = [change.removeprefix(_TRAINING) for change in changes if not change.startswith(_SIMULATION)]
    training = document_of(TrainingSpec, spec, of_training)
    document = _document(patterns, of_simulation)
    if document is None:
        from difsims_core.dataset.open import open_simulation
        from difsims_core.storage.objects import open_store

        for name in patterns:
            open_simulation(name, open_store(store))  # a wrong id is found before anything heavy is loaded
    from flows.cli.session import run_command

    datasets = patterns if document is None else []
    model = run_command(ctx, "train", datasets, training, store, document)
    console.show_json({"id": model}) if as_json else console.show_line(model)


def _document(patterns: list[str], changes: list[str]) -> SimulationSpec | None:
    """Return the document to simulate while training; None where datasets are named."""
    documents = [name for name in patterns if name.endswith(_DOCUMENTS)]
    if not documents:
        if changes:
            raise InputError(f"simulation.{changes[0]}: datasets are simulated already", "train on a document instead")
        return None
    if len(patterns) > 1:
        raise InputError(f"expected one simulation document alone, or datasets, found {', '.join(patterns)}")
    from difsims_core.config.documents import load_spec

    return load_spec(documents[0], changes=changes)


def show_plan(spec: RetrainingSpec, store: str | None, *, as_json: bool = False) -> None:
    """Print what a retraining would do; the last line is whether it would train."""
    from difsims_core.models.retraining_plan import plan_retraining
    from difsims_core.storage.objects import open_store, url_name

    plan = plan_retraining(open_store(store), spec)
    if as_json:
        console.show_json(asdict(plan) | {"trains": plan.trains})
        return
    console.tell(f"the champion is {plan.champion}" if plan.champion else "there is no champion yet")
    if plan.simulates:
        console.tell(f"{plan.simulates:,} patterns would be simulated first")
    console.tell(f"datasets to train on: {_some(plan.datasets)}; {plan.patterns:,} patterns")
    console.tell(f"experiments to compare on: {_some([url_name(url) for url in plan.scans])}")
    for name, reason in plan.left_out.items():
        console.tell(f"{name} would be left out: {reason}")
    console.show_line(_verdict(plan))


def _verdict(plan: RetrainingPlan) -> str:
    if plan.before is not None:
        return f"nothing would be trained: the same was considered on {plan.before.when}: {plan.before.why}"
    if not plan.trains:
        return "nothing would be trained: there is no dataset to train on"
    return f"a challenger would be trained on {plan.patterns:,} patterns"


def _some(names: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return (", ".join(names[:_NAMED]) or "none") + more
