"""Complete datasets of made-up patterns."""

from __future__ import annotations

from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.build import begin, finish, write_block
from difsims_core.dataset.open import Simulation, open_simulation
from difsims_core.storage.objects import ObjectStore
from tests.doubles import FakeSimulator, fake


def build_fake(store: ObjectStore, spec: SimulationSpec, *, engine_version: str = "1") -> Simulation:
    """Write the dataset of a document without its physics."""
    simulator = fake(spec)
    assert isinstance(simulator, FakeSimulator)
    simulator.engine_version = engine_version
    plan = begin(store, spec, simulator=simulator)  # type: ignore[arg-type]
    for block in range(plan.n_blocks):
        write_block(store, plan, simulator, block)  # type: ignore[arg-type]
    finish(store, plan)
    return open_simulation(plan.id, store)
