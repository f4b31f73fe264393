"""Train a classifier on simulated datasets and store it, or find the one that was trained on them already."""

from __future__ import annotations

import logging
import platform
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any

import numpy as np

from difsims_core.config.learning import TrainingDocument, TrainingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.crystals import crystals_today, document_today
from difsims_core.dataset.open import Simulation, open_simulation
from difsims_core.evaluate.classification import ClassificationTally
from difsims_core.learn.bundle import ModelBundle, save_bundle
from difsims_core.learn.classifiers.base import Classifier, ProgressCallback, Recipe, classifier_class
from difsims_core.learn.data.pattern_stream import rows_in_memory
from difsims_core.learn.data.split import Part
from difsims_core.learn.data.training_data import TrainingData, load_training_data, training_fingerprint
from difsims_core.learn.trained_index import find_indexed, write_index
from difsims_core.learn.wanted import request_evaluation
from difsims_core.moments import now_text
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.temporary_files import temporary_folder
from difsims_core.version import __version__

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
    spec: TrainingDocument | None = None,
    progress: ProgressCallback | None = None,
) -> TrainingResult:
    """Train a classifier on datasets and store it; a model of the same document and datasets is returned as it is.

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
    data = load_training_data(opened, spec)
    kind = classifier_class(spec)
    simulation = _document_of(opened) if kind.simulates else None
    fitted = kind.fit(data.stream, Recipe(spec, data.stream.input_shape, len(data.phases), simulation), progress)
    bundle = ModelBundle(
        id=layout.new_model_id(),
        phases=data.phases,
        q_axis=data.q_axis,
        preprocessing=data.preprocessing,
        sim_ids=data.sim_ids,
        sim_fingerprints=data.sim_fingerprints,
        training=spec,
        training_fingerprint=training_fingerprint(spec, data.sim_fingerprints),
        split=data.split_document(),
        metrics=score(fitted.classifier, data),
        history=fitted.history,
        versions=_versions(kind, spec),
        created=now_text(),
        other_axes=data.stream.input_shape[1:],
    )
    with temporary_folder() as folder:
        files = fitted.classifier.log_files(folder, fitted.history)
        bundle = save_bundle(store, bundle, fitted.classifier, files)
    write_index(store, bundle)
    return TrainingResult(bundle, reused=False)


def find_trained(
    store: ObjectStore, simulations: Iterable[str], spec: TrainingDocument | None = None
) -> ModelBundle | None:
    """Return the model that `run_training` would return without training, if there is one; needs no TensorFlow."""
    return _trained_already(store, [open_simulation(name, store) for name in simulations], spec or TrainingSpec())


def score(classifier: Classifier[Any], data: TrainingData) -> dict:
    """Return the classification scores of a classifier on the test part, JSON values."""
    tally = ClassificationTally.start(data.phases)
    rows = rows_in_memory(data.stream.input_shape, _SCORED_ROWS)
    for patterns, classes in replace(data.stream, batch_size=rows).batches(Part.TEST):
        tally = tally.add(classifier.predict(patterns), classes.astype(np.int64))
    return tally.finalise()


def _document_of(simulations: list[Simulation]) -> SimulationSpec:
    """Return the document of the dataset whose order of classes is the classifier's, with its crystals as found now."""
    first = min(simulations, key=lambda sim: sim.fingerprint)
    return document_today(first, crystals_today(first))


def _trained_already(store: ObjectStore, simulations: list[Simulation], spec: TrainingDocument) -> ModelBundle | None:
    """Return the model of these datasets and this document; one that was not to map every scan is, once asked for."""
    found = find_indexed(store, training_fingerprint(spec, (sim.fingerprint for sim in simulations)))
    if found is not None and spec.evaluate and not found.training.evaluate:
        return request_evaluation(store, found)
    return found


def _versions(kind: type[Classifier[Any]], spec: TrainingDocument) -> dict[str, str]:
    libraries = {name: metadata.version(name) for name in ("numpy", "zarr", *kind.libraries)}
    plugins = {"plugins": ", ".join(spec.plugins())} if spec.plugins() else {}
    return {"difsims": __version__, "python": platform.python_version(), **libraries, **plugins}
