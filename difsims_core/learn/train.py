"""Train a classifier on datasets or fresh patterns and store it, or find the one that was trained so already."""

from __future__ import annotations

import logging
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

from difsims_core.config.learning import TrainingDocument, TrainingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.crystals import crystals_today, document_today
from difsims_core.dataset.open import Simulation, open_simulation
from difsims_core.errors import InputError, ModelError
from difsims_core.evaluate.classification import ClassificationTally
from difsims_core.learn.bundle import ModelBundle, save_bundle
from difsims_core.learn.classifiers.base import Classifier, ProgressCallback, Recipe, classifier_class
from difsims_core.learn.data.pattern_stream import rows_in_memory
from difsims_core.learn.data.split import Part
from difsims_core.learn.data.streamed_simulation import StreamedSimulation
from difsims_core.learn.data.training_data import (
    TrainingData,
    load_training_data,
    streamed_training_data,
    training_fingerprint,
)
from difsims_core.learn.fitting.saved_training import SavedTraining
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
    simulations: Iterable[str] | SimulationSpec,
    spec: TrainingDocument | None = None,
    progress: ProgressCallback | None = None,
) -> TrainingResult:
    """Train a classifier and store it; a model of the same training, datasets or document is returned as it is.

    Patterns are streamed: memory does not grow with their number. The same seed, data and machine give the same
    weights, also when the training of a network is stopped and the same call goes on after its last whole epoch.

    Parameters
    ----------
    store
        Where the model goes, and where ids are looked up.
    simulations
        Ids or URLs of complete datasets; or a document, of which every epoch trains on fresh patterns, as many as it
        says, with those held out (``source: stream``).
    spec
        How to train.
    progress
        Called after every epoch; not at all when nothing is trained.

    Raises
    ------
    InputError
        If the datasets do not fit together, are too small, or the document makes no patterns for the classifier.
    ModelError
        If the training diverges.
    """
    patterns = _patterns(store, simulations, spec or TrainingSpec())
    found = _trained_already(store, patterns)
    if found is not None:
        logger.info("%s was trained on these patterns with these parameters already", found.id)
        return TrainingResult(found, reused=True)
    data, spec = patterns.load(store), patterns.spec
    kind, fingerprint = classifier_class(spec), patterns.fingerprint
    saved = SavedTraining(store, fingerprint)
    simulation = patterns.document() if any(classifier_class(part).simulates for part in spec.parts()) else None
    recipe = Recipe(spec, data.stream.input_shape, len(data.phases), simulation)
    try:
        fitted = kind.fit(data.stream, recipe, progress, **({"saved": saved} if kind.goes_on else {}))
    except ModelError:  # it would end there again
        saved.remove()
        raise
    bundle = ModelBundle(
        id=layout.new_model_id(),
        phases=data.phases,
        q_axis=data.q_axis,
        preprocessing=data.preprocessing,
        sim_ids=data.sim_ids,
        sim_fingerprints=data.sim_fingerprints,
        simulation=data.simulation,
        training=spec,
        training_fingerprint=fingerprint,
        split=data.split_document(),
        metrics=score(fitted.classifier, data),
        history=fitted.history,
        versions=_versions(spec),
        created=now_text(),
        other_axes=data.stream.input_shape[1:],
    )
    with temporary_folder() as folder:
        files = fitted.classifier.log_files(folder, fitted.history)
        bundle = save_bundle(store, bundle, fitted.classifier, files)
    write_index(store, bundle)
    saved.remove()
    return TrainingResult(bundle, reused=False)


def find_trained(
    store: ObjectStore, simulations: Iterable[str] | SimulationSpec, spec: TrainingDocument | None = None
) -> ModelBundle | None:
    """Return the model that `run_training` would return without training, if there is one; needs no TensorFlow."""
    return _trained_already(store, _patterns(store, simulations, spec or TrainingSpec()))


def score(classifier: Classifier[Any], data: TrainingData) -> dict:
    """Return the classification scores of a classifier on the test part, JSON values."""
    tally = ClassificationTally.start(data.phases)
    rows = rows_in_memory(data.stream.input_shape, _SCORED_ROWS)
    for patterns, classes in data.stream.in_batches_of(rows).batches(Part.TEST):
        tally = tally.add(classifier.predict(patterns), classes.astype(np.int64))
    return tally.finalise()


@dataclass(frozen=True, slots=True)
class _Patterns:
    """What to train on and how, not loaded yet."""

    spec: TrainingDocument
    opened: tuple[Simulation, ...]
    simulation: StreamedSimulation | None

    @property
    def fingerprint(self) -> str:
        if self.simulation is not None:
            return training_fingerprint(self.spec, [self.simulation.fingerprint])
        return training_fingerprint(self.spec, [sim.fingerprint for sim in self.opened])

    def document(self) -> SimulationSpec:
        """Return the document whose order of classes is the classifier's, with its crystals as found now."""
        if self.simulation is not None:
            return self.simulation.spec
        first = min(self.opened, key=lambda sim: sim.fingerprint)
        return document_today(first, crystals_today(first))

    def load(self, store: ObjectStore) -> TrainingData:
        if self.simulation is not None:
            return streamed_training_data(store, self.simulation, self.spec)
        return load_training_data(self.opened, self.spec)


def _patterns(store: ObjectStore, simulations: Iterable[str] | SimulationSpec, spec: TrainingDocument) -> _Patterns:
    if isinstance(simulations, SimulationSpec):
        spec = spec.model_copy(update={"source": "stream"})
        return _Patterns(spec, (), StreamedSimulation.of(simulations, spec))
    if spec.source == "stream":
        raise InputError(
            "source: stream trains on fresh patterns of a simulation document, found datasets",
            "give the document in their place, or set source to stored",
        )
    return _Patterns(spec, tuple(open_simulation(name, store) for name in simulations), None)


def _trained_already(store: ObjectStore, patterns: _Patterns) -> ModelBundle | None:
    """Return the model of this training; one that was not to map every scan is, once asked for."""
    found = find_indexed(store, patterns.fingerprint)
    if found is not None and patterns.spec.evaluate and not found.training.evaluate:
        return request_evaluation(store, found)
    return found


def _versions(spec: TrainingDocument) -> dict[str, str]:
    used = (library for part in spec.parts() for library in classifier_class(part).libraries)
    libraries = {name: metadata.version(name) for name in dict.fromkeys(("numpy", "zarr", *used))}
    plugins = {"plugins": ", ".join(spec.plugins())} if spec.plugins() else {}
    return {"difsims": __version__, "python": platform.python_version(), **libraries, **plugins}
