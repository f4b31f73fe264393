"""Simulate the points of a sweep one after another."""

from __future__ import annotations

from typing import Any

from difsims_core.config.simulation import SimulationSpec
from difsims_core.config.sweep import make_sweep
from difsims_core.storage.objects import open_store
from flows.commands.simulate import simulate
from flows.execution.point_states import PointState, ids_of, run_points


def simulate_sweep(spec: SimulationSpec, axes: dict[str, list[Any]], store: str | None = None) -> list[str]:
    """Simulate every point of a sweep and return the ids; parameters and errors as those of the flow of this name."""
    points, root = make_sweep(spec.to_document(), axes, source="axes").points, open_store(store).root
    states = [PointState(point) for point in points]
    run_points(points, root, simulate, states.__setitem__)
    return ids_of(states)
