"""Train a classifier on simulated datasets."""

from __future__ import annotations

from prefect.runtime import flow_run

from difsims_core.config.learning import TrainingSpec
from difsims_core.storage.ids import expand_id
from difsims_core.storage.objects import open_store
from flows.execution.no_persistence import flow
from flows.execution.tasks import find_trained, train_model
from flows.ui.artifacts import tag_run
from flows.ui.events import announce
from flows.ui.final_states import reused
from flows.ui.parameters import Simulations, StoreUrl, Training
from flows.ui.progress import log_and_show, track_progress
from flows.ui.summaries import show_model

_DEFAULT = TrainingSpec()


def _run_name() -> str:
    spec: TrainingSpec = flow_run.parameters["spec"]
    names = ", ".join(item.rsplit("/", 1)[-1][:12] for item in flow_run.parameters["simulations"][:3])
    return f"train {spec.label} on {names} seed {spec.seed}"


@flow(name="train", flow_run_name=_run_name)
def train(simulations: Simulations, spec: Training = _DEFAULT, store: StoreUrl = None) -> str:
    """Train a classifier and return its id; one of the same data and parameters is returned as it is.

    Parameters
    ----------
    simulations
        Ids, their beginnings, or URLs of complete datasets with the same phases and q axis.
    spec
        How to train.
    store
        Root URL of the store; default: ``DIFSIMS_STORE``.
    """
    objects = open_store(store)
    root, simulations = objects.root, [expand_id(objects, name) for name in simulations]
    known: str | None = find_trained(root, simulations, spec)
    if known is not None:
        tag_run(known, *simulations)
        message = f"reused model {known}: same datasets and training parameters, nothing was trained"
        log_and_show(message)
        show_model(root, known)
        return reused(known, message)
    tag_run(*simulations)
    log_and_show(f"training {spec.label} for at most {spec.most_epochs} epochs")
    with track_progress("train", "training", spec.most_epochs, "epochs") as work:
        model: str = train_model(root, simulations, spec, "train")
        work.update("epochs", spec.most_epochs)
    tag_run(model)
    announce("model.trained", model, root, labels={"difsims.model": model}, payload={"simulations": simulations})
    log_and_show(f"model {model}: held-out accuracy {show_model(root, model):.2%}")
    return model
