"""A trained classifier with everything needed to use and to trust it: classes, q axis, preprocessing, lineage, scores.

In the store it is a folder: ``weights.npz``, what its kind adds (``tensorboard/``), and ``bundle.json``, written last,
with the checksum of everything else; without that record the folder is no model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from difsims_core.config.learning import TrainingDocument
from difsims_core.config.signal import PostprocessingSpec
from difsims_core.errors import CorruptDataError, MissingObjectError, ModelError
from difsims_core.learn.bundle_record import FORMAT, BundleRecord, StoredObject
from difsims_core.learn.classifiers.base import Classifier, ClassifierInput, Recipe, input_of
from difsims_core.learn.classifiers.restore import restore, weights_to_store
from difsims_core.learn.data.streamed_simulation import StreamedSimulation
from difsims_core.learn.weights import MOST_WEIGHTS, WEIGHTS, Weight, describe
from difsims_core.storage import layout
from difsims_core.storage.ids import expand_id, is_beginning
from difsims_core.storage.npz.members import write_members
from difsims_core.storage.objects import ObjectStore, locate, open_store

_LARGEST_OBJECT = 9 * MOST_WEIGHTS  # bytes; doubles that do not compress


@dataclass(frozen=True, eq=False)
class ModelBundle:
    """A trained model; the classifier itself is built when it is first used.

    Attributes
    ----------
    id : str
        ``cnn-<uuid4>``.
    phases : tuple of str
        Class names, in the order of the probabilities.
    q_axis : (nq,) float64
        Of the patterns that the classifier takes, Å⁻¹.
    preprocessing : PostprocessingSpec
        Square root and q crop of the simulated patterns, to be repeated on measured ones.
    sim_ids, sim_fingerprints : tuple of str
        Datasets it was trained on; none for a model of fresh patterns.
    simulation : StreamedSimulation or None
        What these were simulated of.
    training : TrainingDocument
        How; it names the classifier.
    training_fingerprint : str
        SHA-256 of that document and the datasets' fingerprints.
    split : mapping
        ``held_out_fraction``, ``seed``, ``n_train``, ``n_validation``, ``n_test``.
    metrics : mapping
        Scores on the test part, which neither trained the classifier nor decided when to stop.
    history : tuple of mappings
        Of each epoch, of a classifier that has any: ``epoch``, ``epochs``, ``loss``, ``accuracy``, ``val_loss``,
        ``val_accuracy``, ``seconds``, ``samples_per_second``.
    versions : mapping
        Of Python and the libraries.
    created : str
        ISO date and time.
    other_axes : tuple of int
        Sizes of the axes of a pattern behind q: none of profiles, (n_φ,) of polar patterns.
    weights : tuple of Weight
        What arrays it has, in the order of the classifier.
    objects : mapping of str to StoredObject
        Size and SHA-256 of everything that was stored before the record, by its name in the folder.
    store, key
        The folder it was loaded from.
    """

    id: str
    phases: tuple[str, ...]
    q_axis: np.ndarray
    preprocessing: PostprocessingSpec
    sim_ids: tuple[str, ...]
    sim_fingerprints: tuple[str, ...]
    training: TrainingDocument
    training_fingerprint: str
    split: Mapping[str, Any]
    metrics: Mapping[str, Any]
    history: tuple[Mapping[str, Any], ...]
    versions: Mapping[str, str]
    created: str
    simulation: StreamedSimulation | None = None
    other_axes: tuple[int, ...] = ()
    weights: tuple[Weight, ...] = ()
    objects: Mapping[str, StoredObject] = field(default_factory=dict)
    store: ObjectStore | None = field(default=None, repr=False)
    key: str = ""

    @property
    def seed(self) -> int:
        """Seed of weights, shuffling, dropout and the split."""
        return self.training.seed

    @property
    def url(self) -> str:
        """URL of the folder."""
        return self._home.url(self.key)

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the file of the weights; empty while it is not stored."""
        return self.objects[WEIGHTS].sha256 if WEIGHTS in self.objects else ""

    @property
    def input(self) -> ClassifierInput:
        """What the classifier takes."""
        return input_of(self.training)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one pattern: (n_q,) or (n_q, n_φ)."""
        return (len(self.q_axis), *self.other_axes)

    @property
    def recipe(self) -> Recipe[Any]:
        """What the classifier is built from."""
        return Recipe(self.training, self.input_shape, len(self.phases))

    @property
    def _home(self) -> ObjectStore:
        if self.store is None:
            raise ModelError(f"{self.id}: this model is not stored yet", "save_bundle stores it")
        return self.store

    @cached_property
    def classifier(self) -> Classifier[Any]:
        """The classifier, built by its kind and filled with the stored weights.

        Raises
        ------
        MissingObjectError
            If the weights are gone.
        CorruptDataError
            If they differ from what the record says.
        ModelError
            If they are none of this classifier, or what it gives are no probabilities (`restore`).
        """
        return restore(self.read(WEIGHTS), self.recipe, self.weights, f"{self.url}/{WEIGHTS}")

    def read(self, name: str) -> bytes:
        """Return an object that the record lists, by its name in the folder; not one byte more than it has.

        Raises
        ------
        MissingObjectError
            If it is gone.
        CorruptDataError
            If it differs from what the record says.
        """
        expected, key = self.objects[name], f"{self.key}/{name}"
        data = self._home.read(key, 0, min(expected.size, _LARGEST_OBJECT) + 1)
        if len(data) != expected.size or hashlib.sha256(data).hexdigest() != expected.sha256:
            raise CorruptDataError(
                f"{self._home.url(key)}: the checksum differs from the record", "restore it, or train the model again"
            )
        return data

    def to_document(self) -> dict[str, Any]:
        """Return the record, plain JSON values."""
        names = ("id", "phases", "sim_ids", "sim_fingerprints", "training_fingerprint", "split", "metrics", "history")
        return {
            "format": FORMAT,
            "kind": self.training.kind,
            "input_shape": list(self.input_shape),
            **{name: _plain(getattr(self, name)) for name in names},
            **({} if self.simulation is None else {"simulation": self.simulation.to_document()}),
            "q_axis_per_angstrom": [float(q) for q in self.q_axis],
            "preprocessing": self.preprocessing.to_document(),
            "training": self.training.to_document(),
            "versions": dict(self.versions),
            "created": self.created,
            "weights": [{**asdict(weight), "shape": list(weight.shape)} for weight in self.weights],
            "objects": {name: found.model_dump() for name, found in sorted(self.objects.items())},
        }


def save_bundle(
    store: ObjectStore,
    bundle: ModelBundle,
    classifier: Classifier[Any],
    extra_files: Mapping[str, Path] | None = None,
    already: Mapping[str, StoredObject] | None = None,
) -> ModelBundle:
    """Store a model and return it as it is loaded again.

    Parameters
    ----------
    store
        Where.
    bundle
        What is known of it.
    classifier
        As its kind builds it from ``bundle.recipe``.
    extra_files
        Local files to store beside it, by their names in the folder (``tensorboard/…``).
    already
        What lies in its folder and belongs to it.

    Raises
    ------
    ModelError
        If it is not that one, its weights are not finite, or what it gives are no probabilities: such a model could not
        be loaded again.
    """
    key = layout.model(bundle.id)
    arrays = weights_to_store(classifier, bundle.recipe, bundle.id)
    data = write_members(store.url(f"{key}/{WEIGHTS}"), arrays)
    objects = {**(already or {}), WEIGHTS: describe_object(data)}
    for name, local_path in (extra_files or {}).items():
        store.upload(local_path, f"{key}/{name}")
        objects[name] = describe_object(local_path.read_bytes())
    document = replace(bundle, weights=describe(arrays), objects=objects).to_document()
    BundleRecord.from_document(document, store.url(key))  # what could not be read again is not written
    store.write_record(layout.model_record(bundle.id), document)
    return load_bundle(bundle.id, store)


def describe_object(data: bytes) -> StoredObject:
    """Return what a record says of an object with these bytes."""
    return StoredObject(size=len(data), sha256=hashlib.sha256(data).hexdigest())


def load_bundle(url_or_id: str | Path, store: ObjectStore | None = None) -> ModelBundle:
    """Read a model.

    Parameters
    ----------
    url_or_id
        Its id or the beginning of it, or the URL or path of its folder.
    store
        Where an id is looked up; default: ``DIFSIMS_STORE``.

    Raises
    ------
    MissingObjectError
        If there is no such model, or its record was never written because training was stopped.
    InputError
        If the beginning of an id fits several models.
    CorruptDataError
        If its record is damaged, or one of the earlier form.
    ModelError
        If its record is not one, or that of a model of another id.

    Examples
    --------
    ``model`` is an id, such as ``difsims train`` prints:

    >>> from difsims_core import load_bundle
    >>> bundle = load_bundle(model)
    >>> bundle.phases, bundle.q_axis.shape
    (('pb', 'gratia_2h'), (147,))
    """
    text = str(url_or_id).rstrip("/").removesuffix(f"/{layout.MODEL_RECORD}")
    if layout.is_model_id(text) or is_beginning(text):
        store = store or open_store()
        key = layout.model(expand_id(store, text))
    else:
        store, key = locate(text)
    where = f"{store.url(key)}/{layout.MODEL_RECORD}"
    try:
        document = store.read_record(f"{key}/{layout.MODEL_RECORD}")
    except MissingObjectError:
        raise MissingObjectError(
            f"{store.url(key)}: there is no trained model here (no {layout.MODEL_RECORD})",
            "check the id and the store (DIFSIMS_STORE), or train again: a training that was stopped leaves no model",
        ) from None
    record = BundleRecord.from_document(document, where)
    name = key.rpartition("/")[2]
    if record.id != name:
        raise ModelError(
            f"{where}: expected the model of its folder, {name}, found that of {record.id}",
            "give the folder the name of its model, or restore the model that was there",
        )
    weights = tuple(Weight(weight.name, weight.shape, weight.dtype) for weight in record.weights)
    other_axes, objects = record.input_shape[1:], dict(record.objects)
    return ModelBundle(
        **record.bundle_fields(), other_axes=other_axes, weights=weights, objects=objects, store=store, key=key
    )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value
