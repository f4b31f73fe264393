"""Train a classifier on simulated datasets, or on fresh patterns of a document."""

from __future__ import annotations

from prefect.runtime import flow_run

from difsims_core.config.learning import TrainingSpec
from flows.commands import train as command
from flows.execution.no_persistence import flow
from flows.ui.parameters import Simulations, StoreUrl, Streamed, Training

_DEFAULT = TrainingSpec()


def _run_name() -> str:
    spec: TrainingSpec = flow_run.parameters["spec"]
    names = ", ".join(item.rsplit("/", 1)[-1][:12] for item in flow_run.parameters["simulations"][:3])
    names = names or "fresh patterns"
    return f"train {spec.label} on {names} seed {spec.seed}"


@flow(name="train", flow_run_name=_run_name)
def train(
    simulations: Simulations, spec: Training = _DEFAULT, store: StoreUrl = None, simulation: Streamed = None
) -> str:
    """Train a classifier and return its id; one of the same data and parameters is returned as it is.

    Parameters
    ----------
    simulations
        Ids, their beginnings, or URLs of complete datasets with the same phases and q axis.
    spec
        How to train.
    store
        Root URL of the store; default: ``DIFSIMS_STORE``.
    simulation
        In the place of datasets: what every epoch simulates anew.
    """
    return command.train(simulations, spec, store, simulation)
