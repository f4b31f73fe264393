"""Train a classifier on simulated datasets, or on fresh patterns of a document."""

from __future__ import annotations

from difsims_core.config.learning import TrainingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.errors import InputError
from difsims_core.learn.bundle import load_bundle
from difsims_core.storage.ids import expand_id
from difsims_core.storage.objects import open_store
from flows.execution.steps import find_trained, make_libraries, train_model
from flows.ui.artifacts import tag_run
from flows.ui.events import announce
from flows.ui.final_states import reused
from flows.ui.progress import log_and_show, track_progress
from flows.ui.summaries import show_model


def train(
    simulations: list[str], spec: TrainingSpec, store: str | None = None, simulation: SimulationSpec | None = None
) -> str:
    """Train a classifier and return its id; parameters and errors as those of the flow of this name."""
    if simulation is not None and simulations:
        raise InputError("expected datasets or a simulation document to train on, found both", "leave out one of them")
    objects = open_store(store)
    root, simulations = objects.root, [expand_id(objects, name) for name in simulations]
    patterns = simulations if simulation is None else simulation
    known: str | None = find_trained(root, patterns, spec)
    if known is not None:
        tag_run(known, *simulations)
        same = "document" if simulation is not None else "datasets"
        message = f"reused model {known}: same {same} and training parameters, nothing was trained"
        log_and_show(message)
        show_model(objects, load_bundle(known, objects))
        return reused(known, message)
    tag_run(*simulations)
    if simulation is not None and simulation.orientations.kind == "library":
        _make_libraries(objects.root, simulation)
    log_and_show(f"training {spec.label}" + (f" for at most {n} epochs" if (n := spec.most_epochs) > 1 else ""))
    with track_progress("train", "training", spec.most_epochs, "epochs") as work:
        model: str = train_model(root, patterns, spec, "train")
        work.update("epochs", spec.most_epochs)
    tag_run(model)
    announce("model.trained", model, root, labels={"difsims.model": model}, payload={"simulations": simulations})
    bundle = load_bundle(model, objects)
    show_model(objects, bundle)
    log_and_show(f"model {model}: held-out accuracy {bundle.metrics['accuracy']:.2%}")
    return model


def _make_libraries(root: str, spec: SimulationSpec) -> None:
    """Compute the libraries that a stream draws from, where the store lacks them."""
    names = [phase.name for phase in spec.phases]
    log_and_show(f"libraries of beam directions of {', '.join(names)}: those that the store lacks are computed")
    with track_progress("libraries", "computing libraries", 100 * len(names), "% of a phase"):
        make_libraries(root, spec, "libraries")
