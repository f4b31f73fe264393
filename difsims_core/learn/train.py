"""Train a network on simulated datasets and store it, or find the one that was trained on them already."""

from __future__ import annotations

import logging
import platform
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import metadata
from typing import TYPE_CHECKING

import numpy as np

from difsims_core.config.learning import TrainingSpec
from difsims_core.dataset.open import Simulation, open_simulation
from difsims_core.evaluate.classification import ClassificationTally
from difsims_core.learn.bundle import ModelBundle, save_bundle
from difsims_core.learn.data.split import Part
from difsims_core.learn.data.training_data import TrainingMaterial, gather, training_fingerprint
from difsims_core.learn.index import find_indexed, write_index
from difsims_core.learn.wanted import request_evaluation
from difsims_core.moments import now_text
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.temporary_files import temporary_folder
from difsims_core.version import __version__

if TYPE_CHECKING:
    from difsims_core.learn.backend import keras
    from difsims_core.learn.fit import ProgressCallback

logger = logging.getLogger(__name__)

_SCORED_ROWS = 8192


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The model of a training.

    Attributes
    ----------
    bundle : ModelBundle
        The model, stored.
    reused : bool
        Whether it was trained before on the same datasets with the same parameters.
    """

    bundle: ModelBundle
    reused: bool


def run_training(
    store: ObjectStore,
    simulations: Iterable[str],
    spec: TrainingSpec | None = None,
    progress: ProgressCallback | None = None,
) -> TrainingResult:
    """Train a network on datasets and store it; a model of the same document and datasets is returned as it is.

    Profiles are streamed: memory does not grow with the datasets. The same seed, data and machine give the same
    weights.

    Parameters
    ----------
    store
        Where the model goes, and where ids are looked up.
    simulations
        Ids or URLs of complete datasets.
    spec
        How to train.
    progress
        Called after every epoch; not at all when nothing is trained.

    Raises
    ------
    InputError
        If the datasets do not fit together, or are too small.
    ModelError
        If the training diverges.
    """
    spec = spec or TrainingSpec()
    opened = [open_simulation(name, store) for name in simulations]
    found = _trained_already(store, opened, spec)
    if found is not None:
        logger.info("%s was trained on these datasets with these parameters already", found.id)
        return TrainingResult(found, reused=True)
    from difsims_core.learn.curves import write_curves
    from difsims_core.learn.fit import fit

    material = gather(opened, spec)
    model, history = fit(material.stream, len(material.phases), spec, progress)
    bundle = ModelBundle(
        id=layout.new_model_id(),
        phases=material.phases,
        q_axis=material.q_axis,
        preprocessing=material.preprocessing,
        sim_ids=material.sim_ids,
        sim_fingerprints=material.sim_fingerprints,
        training=spec,
        training_fingerprint=training_fingerprint(spec, material.sim_fingerprints),
        split=material.split_document(),
        metrics=score(model, material),
        history=tuple(history),
        versions=_versions(),
        created=now_text(),
    )
    with temporary_folder() as folder:
        bundle = save_bundle(store, bundle, model, write_curves(folder, history))
    write_index(store, bundle)
    return TrainingResult(bundle, reused=False)


def train(
    store: ObjectStore,
    simulations: Iterable[str],
    spec: TrainingSpec | None = None,
    progress: ProgressCallback | None = None,
) -> ModelBundle:
    """Return the model of `run_training`."""
    return run_training(store, simulations, spec, progress).bundle


def find_trained(
    store: ObjectStore, simulations: Iterable[str], spec: TrainingSpec | None = None
) -> ModelBundle | None:
    """Return the model that `run_training` would return without training, if there is one; needs no TensorFlow."""
    return _trained_already(store, [open_simulation(name, store) for name in simulations], spec or TrainingSpec())


def score(model: keras.Model, material: TrainingMaterial) -> dict:
    """Return the classification scores of a network on the test part, JSON values."""
    from difsims_core.learn.predict import probabilities

    tally = ClassificationTally.start(material.phases)
    for profiles, classes in replace(material.stream, batch_size=_SCORED_ROWS).batches(Part.TEST):
        tally = tally.add(probabilities(model, profiles), classes.astype(np.int64))
    return tally.finalise()


def _trained_already(store: ObjectStore, simulations: list[Simulation], spec: TrainingSpec) -> ModelBundle | None:
    """Return the model of these datasets and this document; one that was not to map every scan is, once asked for."""
    found = find_indexed(store, training_fingerprint(spec, (sim.fingerprint for sim in simulations)))
    if found is not None and spec.evaluate and not found.training.evaluate:
        return request_evaluation(store, found)
    return found


def _versions() -> dict[str, str]:
    libraries = {name: metadata.version(name) for name in ("numpy", "zarr", "tensorflow", "keras")}
    return {"difsims": __version__, "python": platform.python_version(), **libraries}
