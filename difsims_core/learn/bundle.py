"""A trained network with everything needed to use and to trust it: classes, q axis, preprocessing, lineage, scores.

In the store it is a folder: ``model.keras``, ``tensorboard/``, and ``bundle.json``, written last; without that record
the folder is no model.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from difsims_core.config.documents import make_spec
from difsims_core.config.learning import TrainingSpec
from difsims_core.config.signal import PostprocessingSpec
from difsims_core.errors import CorruptDataError, MissingObjectError, ModelError
from difsims_core.messages import first_line
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore, locate, open_store

if TYPE_CHECKING:
    from difsims_core.learn.backend import keras

NETWORK = "model.keras"
_FORMAT = 1


@dataclass(frozen=True, eq=False)
class ModelBundle:
    """A trained classifier; the network itself is loaded when it is first used.

    Attributes
    ----------
    id : str
        ``cnn-<uuid4>``.
    phases : tuple of str
        Class names, in the order of the probabilities.
    q_axis : (nq,) float64
        Of the profiles that the network takes, Å⁻¹.
    preprocessing : PostprocessingSpec
        Square root and q crop of the simulated profiles, to be repeated on measured ones.
    sim_ids, sim_fingerprints : tuple of str
        Datasets it was trained on.
    training : TrainingSpec
        How.
    training_fingerprint : str
        SHA-256 of that document and the datasets' fingerprints.
    split : mapping
        ``held_out_fraction``, ``seed``, ``n_train``, ``n_validation``, ``n_test``.
    metrics : mapping
        Scores on the test part, which neither trained the network nor decided when to stop.
    history : tuple of mappings
        Of each epoch: ``epoch``, ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``, ``seconds``,
        ``samples_per_second``.
    versions : mapping
        Of Python and the libraries.
    created : str
        ISO date and time.
    model_sha256 : str
        Of ``model.keras``.
    store, key
        The folder it was loaded from.
    """

    id: str
    phases: tuple[str, ...]
    q_axis: np.ndarray
    preprocessing: PostprocessingSpec
    sim_ids: tuple[str, ...]
    sim_fingerprints: tuple[str, ...]
    training: TrainingSpec
    training_fingerprint: str
    split: Mapping[str, Any]
    metrics: Mapping[str, Any]
    history: tuple[Mapping[str, Any], ...]
    versions: Mapping[str, str]
    created: str
    model_sha256: str = ""
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
    def _home(self) -> ObjectStore:
        if self.store is None:
            raise ModelError(f"{self.id}: this model is not stored yet; save_bundle stores it")
        return self.store

    @cached_property
    def model(self) -> keras.Model:
        """The network, loaded in Keras' safe mode (no code of the file is run).

        Raises
        ------
        CorruptDataError
            If the file differs from what the record says.
        ModelError
            If it is no network, or not one of this shape.
        """
        data = self._home.read(f"{self.key}/{NETWORK}")
        if hashlib.sha256(data).hexdigest() != self.model_sha256:
            raise CorruptDataError(f"{self.url}/{NETWORK}: the checksum differs from the record; train the model again")
        network = _load_network(data, f"{self.url}/{NETWORK}")
        expected = (None, len(self.q_axis), 1), (None, len(self.phases))
        if (network.input_shape, network.output_shape) != expected:
            raise ModelError(
                f"{self.url}/{NETWORK}: expected a network {expected[0]} → {expected[1]} as the record says, "
                f"found {network.input_shape} → {network.output_shape}; train the model again"
            )
        return network

    def to_document(self) -> dict[str, Any]:
        """Return the record, plain JSON values."""
        names = ("id", "phases", "sim_ids", "sim_fingerprints", "training_fingerprint", "split", "metrics", "history")
        return {
            "format": _FORMAT,
            **{name: _plain(getattr(self, name)) for name in names},
            "q_axis_per_angstrom": [float(q) for q in self.q_axis],
            "preprocessing": self.preprocessing.to_document(),
            "training": self.training.to_document(),
            "seed": self.seed,
            "versions": dict(self.versions),
            "created": self.created,
            "model_sha256": self.model_sha256,
        }


def save_bundle(
    store: ObjectStore, bundle: ModelBundle, model: keras.Model, extra_files: Mapping[str, Path] | None = None
) -> ModelBundle:
    """Store a model and return it as it is loaded again.

    Parameters
    ----------
    store
        Where.
    bundle
        What is known of it.
    model
        The network, without the state of an optimiser.
    extra_files
        Local files to store beside it, by their names in the folder (``tensorboard/…``).
    """
    key = layout.model(bundle.id)
    with tempfile.TemporaryDirectory(prefix="difsims-") as folder:
        path = Path(folder) / NETWORK
        model.save(path)
        data = path.read_bytes()
    store.write(f"{key}/{NETWORK}", data)
    for name, local_path in (extra_files or {}).items():
        store.upload(local_path, f"{key}/{name}")
    record = {**bundle.to_document(), "model_sha256": hashlib.sha256(data).hexdigest()}
    store.write_json(f"{key}/{layout.MODEL_RECORD}", record)
    return load_bundle(bundle.id, store)


def load_bundle(url_or_id: str | Path, store: ObjectStore | None = None) -> ModelBundle:
    """Read a model.

    Parameters
    ----------
    url_or_id
        Its id, or the URL or path of its folder.
    store
        Where an id is looked up; default: ``DIFSIMS_STORE``.

    Raises
    ------
    MissingObjectError
        If there is no such model, or its record was never written because training was stopped.
    ModelError
        If its record is not one.
    """
    text = str(url_or_id).rstrip("/").removesuffix(f"/{layout.MODEL_RECORD}")
    if layout.is_model_id(text):
        store, key = store or open_store(), layout.model(text)
    else:
        store, key = locate(text)
    try:
        document = store.read_json(f"{key}/{layout.MODEL_RECORD}")
    except MissingObjectError:
        raise MissingObjectError(
            f"{store.url(key)}: there is no trained model here (no {layout.MODEL_RECORD}); check the id and the store "
            "(DIFSIMS_STORE), or train again: a training that was stopped leaves no model"
        ) from None
    return _from_document(document, store, key)


def list_models(store: ObjectStore) -> list[str]:
    """Return the ids of all models of a store, complete or not, sorted."""
    return [name for name in store.folders(layout.MODELS) if layout.is_model_id(name)]


def _from_document(document: Any, store: ObjectStore, key: str) -> ModelBundle:
    where = f"{store.url(key)}/{layout.MODEL_RECORD}"
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        found = document.get("format") if isinstance(document, dict) else type(document).__name__
        raise ModelError(
            f"{where}: expected a model record of format {_FORMAT}, found {found!r}; train the model again"
        )
    try:
        bundle = ModelBundle(
            id=layout.check_model_id(document["id"]),
            phases=_texts(document["phases"]),
            q_axis=np.asarray(document["q_axis_per_angstrom"], np.float64),
            preprocessing=make_spec(document["preprocessing"], PostprocessingSpec, source=where),
            sim_ids=_texts(document["sim_ids"]),
            sim_fingerprints=_texts(document["sim_fingerprints"]),
            training=make_spec(document["training"], TrainingSpec, source=where),
            training_fingerprint=str(document["training_fingerprint"]),
            split=dict(document["split"]),
            metrics=dict(document["metrics"]),
            history=tuple(dict(epoch) for epoch in document["history"]),
            versions=dict(document["versions"]),
            created=str(document["created"]),
            model_sha256=str(document["model_sha256"]),
            store=store,
            key=key,
        )
    except (KeyError, TypeError, ValueError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ModelError(f"{where}: not a model record ({what}); train the model again") from None
    q = bundle.q_axis
    if q.ndim != 1 or len(q) < 2 or not np.isfinite(q).all() or np.any(np.diff(q) <= 0):
        raise ModelError(f"{where}: expected an increasing q axis, found shape {q.shape}; train the model again")
    return bundle


def _load_network(data: bytes, shown: str) -> keras.Model:
    from difsims_core.learn.backend import keras

    with tempfile.TemporaryDirectory(prefix="difsims-") as folder:
        path = Path(folder) / NETWORK
        path.write_bytes(data)
        try:
            network = keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as error:  # noqa: BLE001 Keras raises whatever the part that failed raises
            why = first_line(error)
            raise ModelError(f"{shown}: Keras cannot load this network ({why}); train the model again") from None
    if not isinstance(network, keras.Model):
        raise ModelError(f"{shown}: expected a Keras model, found {type(network).__name__}; train the model again")
    return network


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value


def _texts(value: Sequence[str]) -> tuple[str, ...]:
    if isinstance(value, str) or not all(isinstance(item, str) for item in value):
        raise TypeError(f"expected a list of texts, found {value!r}")
    return tuple(value)
