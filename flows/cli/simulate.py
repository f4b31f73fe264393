"""What ``difsims simulate`` does with its document."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.cli import console

if TYPE_CHECKING:
    from collections.abc import Callable

    from difsims_core.config.sweep import Sweep


def simulate_document(
    document: Path | None, changes: list[str], store: str | None, session: Callable[..., Any], *, as_json: bool
) -> None:
    """Simulate a document, or every point of its sweep, and print one id a line."""
    from difsims_core.config.sweep import load_sweep
    from difsims_core.resources import specs_folder
    from difsims_core.simulation.simulator import Simulator

    wanted = document or Path("reference.yaml")
    shipped = specs_folder() / wanted
    sweep = load_sweep(shipped if not wanted.exists() and shipped.exists() else wanted, changes)
    Simulator.prepare(sweep.points[0].spec)  # what is wrong with crystals or lists is found before Prefect starts
    ids = _run(sweep, store, session)
    if not as_json:
        for simulation in ids:
            console.show_line(simulation)
        return
    found = [_described(simulation, store) for simulation in ids]
    if sweep.axes:
        console.show_json([{"label": point.label, **one} for point, one in zip(sweep.points, found, strict=True)])
    else:
        console.show_json(found[0])


def _run(sweep: Sweep, store: str | None, session: Callable[..., Any]) -> list[str]:
    first = sweep.points[0].spec
    if not sweep.axes:
        with session("flows.simulate"):
            from flows.simulate import simulate

            return [simulate(first, store)]
    with session("flows.sweep"):
        from flows.sweep import simulate_sweep

        return simulate_sweep(first, sweep.plain_axes, store)


def _described(simulation: str, store: str | None) -> dict[str, Any]:
    from difsims_core.dataset.open import open_simulation
    from difsims_core.storage.objects import open_store

    opened = open_simulation(simulation, open_store(store))
    return {"id": opened.id, "n_patterns": opened.n_patterns, "phases": list(opened.phases)}
