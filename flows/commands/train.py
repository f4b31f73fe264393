"""Train a classifier on simulated datasets."""

from __future__ import annotations

from difsims_core.config.learning import TrainingSpec
from difsims_core.learn.bundle import load_bundle
from difsims_core.storage.ids import expand_id
from difsims_core.storage.objects import open_store
from flows.execution.steps import find_trained, train_model
from flows.ui.artifacts import tag_run
from flows.ui.events import announce
from flows.ui.final_states import reused
from flows.ui.progress import log_and_show, track_progress
from flows.ui.summaries import show_model


def train(simulations: list[str], spec: TrainingSpec, store: str | None = None) -> str:
    """Train a classifier and return its id; parameters and errors as those of the flow of this name."""
    objects = open_store(store)
    root, simulations = objects.root, [expand_id(objects, name) for name in simulations]
    known: str | None = find_trained(root, simulations, spec)
    if known is not None:
        tag_run(known, *simulations)
        message = f"reused model {known}: same datasets and training parameters, nothing was trained"
        log_and_show(message)
        show_model(objects, load_bundle(known, objects))
        return reused(known, message)
    tag_run(*simulations)
    log_and_show(f"training {spec.label} for at most {spec.most_epochs} epochs")
    with track_progress("train", "training", spec.most_epochs, "epochs") as work:
        model: str = train_model(root, simulations, spec, "train")
        work.update("epochs", spec.most_epochs)
    tag_run(model)
    announce("model.trained", model, root, labels={"difsims.model": model}, payload={"simulations": simulations})
    bundle = load_bundle(model, objects)
    show_model(objects, bundle)
    log_and_show(f"model {model}: held-out accuracy {bundle.metrics['accuracy']:.2%}")
    return model
