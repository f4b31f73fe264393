"""What ``difsims simulate`` does with its document."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.cli import console

if TYPE_CHECKING:
    import typer

    from difsims_core.config.sweep import Sweep


def simulate_document(
    ctx: typer.Context, document: Path | None, changes: list[str], store: str | None, *, as_json: bool
) -> None:
    """Simulate a document, or every point of its sweep, and print one id a line."""
    from difsims_core.config.sweep import load_sweep

    sweep = load_sweep(document or "reference.yaml", changes)
    ids = _run(ctx, sweep, store)
    if not as_json:
        for simulation in ids:
            console.show_line(simulation)
        return
    found = [_described(simulation, store) for simulation in ids]
    if sweep.axes:
        console.show_json([{"label": point.label, **one} for point, one in zip(sweep.points, found, strict=True)])
    else:
        console.show_json(found[0])


def _run(ctx: typer.Context, sweep: Sweep, store: str | None) -> list[str]:
    from flows.cli.session import run_command

    first = sweep.points[0].spec

    def check() -> None:
        """Find what is wrong with crystals or lists."""
        from difsims_core.simulation.simulator import Simulator

        Simulator.prepare(first)

    if not sweep.axes:
        return [run_command(ctx, "simulate", first, store, check=check)]
    return run_command(ctx, "simulate_sweep", first, sweep.plain_axes, store, module="sweep", check=check)


def _described(simulation: str, store: str | None) -> dict[str, Any]:
    from difsims_core.dataset.open import open_simulation
    from difsims_core.storage.objects import open_store

    opened = open_simulation(simulation, open_store(store))
    return {"id": opened.id, "n_patterns": opened.n_patterns, "phases": list(opened.phases)}
