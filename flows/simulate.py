"""Simulate a dataset: plan blocks, write groups of them, declare the whole complete."""

from __future__ import annotations

from typing import Any, cast

from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner

from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.plan import MOST_GROUPS
from flows.commands import simulate as command
from flows.execution.no_persistence import flow
from flows.ui.artifacts import short_count
from flows.ui.parameters import Simulation, StoreUrl

_REFERENCE = SimulationSpec()


def _run_name() -> str:
    spec: SimulationSpec = flow_run.parameters["spec"]
    return f"simulate {short_count(spec.n_patterns)} × {len(spec.class_names)} phases seed {spec.seed}"


@flow(
    name="simulate",
    flow_run_name=_run_name,
    task_runner=cast("Any", ThreadPoolTaskRunner(max_workers=MOST_GROUPS)),
)
def simulate(spec: Simulation = _REFERENCE, store: StoreUrl = None) -> str:
    """Simulate a dataset and return its id; a complete one of the same fingerprint is returned as it is.

    Parameters
    ----------
    spec
        What to simulate.
    store
        Root URL of the store; default: ``DIFSIMS_STORE``.
    """
    return command.simulate(spec, store)
