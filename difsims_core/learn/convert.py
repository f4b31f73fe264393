"""Bring a model of the earlier form, a file of Keras and a record without a checksum, into today's.

The only place where Keras reads a file: one that its owner has named, and whose checksum is that of its record. A file
of Keras holds HDF5, whose library has flaws that a file made for it reaches, so this is for one's own files alone.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from difsims_core.errors import CorruptDataError, MissingObjectError, ModelError
from difsims_core.learn.bundle import ModelBundle, describe_object, load_bundle, save_bundle
from difsims_core.learn.bundle_record import EARLIER_NETWORK, EarlierRecord
from difsims_core.learn.classifiers.keras_network import KerasNetwork
from difsims_core.learn.classifiers.restore import expected_weights, probe
from difsims_core.learn.index import write_index
from difsims_core.learn.weights import WEIGHTS, describe
from difsims_core.messages import first_line
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.records import plain_document
from difsims_core.storage.temporary_files import temporary_folder

if TYPE_CHECKING:
    from difsims_core.learn.backend import keras

_SAME_PROBABILITY = 1e-6


def convert_model(store: ObjectStore, model_id: str) -> bool:
    """Bring a stored model into today's form, and return whether its record was in an earlier one.

    The weights go into the network that the registry builds from the model's training document, and the two must give
    the same probabilities. The file of Keras is removed last: whatever stops this, the model is whole in one form.

    Parameters
    ----------
    store
        Where it lies.
    model_id
        Its id.

    Raises
    ------
    MissingObjectError
        If there is no such model.
    CorruptDataError
        If the record is damaged, or the file of Keras is another than it says.
    ModelError
        If the network is not the one that the registry builds.
    """
    key = layout.model_record(model_id)
    document = plain_document(store.read(key), store.url(key))
    earlier = "sha256" not in document
    if not earlier:
        bundle = load_bundle(model_id, store)
    else:
        record = EarlierRecord.from_document(document, store.url(key))
        if record.id != model_id:
            raise ModelError(
                f"{store.url(key)}: expected the model of its folder, {model_id}, found that of {record.id}",
                "give the folder the name of its model",
            )
        bundle = _store_again(store, ModelBundle(**record.bundle_fields()), record.model_sha256)
    _convert_index(store, bundle)
    if EARLIER_NETWORK not in bundle.objects:
        store.delete(f"{bundle.key}/{EARLIER_NETWORK}")
    return earlier


def _store_again(store: ObjectStore, bundle: ModelBundle, sha256: str) -> ModelBundle:
    folder = layout.model(bundle.id)
    where = store.url(f"{folder}/{EARLIER_NETWORK}")
    data = store.read(f"{folder}/{EARLIER_NETWORK}")
    if hashlib.sha256(data).hexdigest() != sha256:
        raise CorruptDataError(f"{where}: the checksum differs from the record", "train the model again")
    before, recipe = _read_keras(data, where), bundle.recipe
    shapes = ((None, *recipe.input_shape, 1), (None, recipe.n_classes))
    expected = expected_weights(recipe)
    stored = KerasNetwork(before)
    if (before.input_shape, before.output_shape) != shapes or describe(stored.save()) != expected:
        raise ModelError(
            f"{where}: its weights are not those of the network {recipe.training.label}", "train the model again"
        )
    after = KerasNetwork.load(recipe, stored.save())
    if not np.allclose(probe(stored, recipe), probe(after, recipe), rtol=0, atol=_SAME_PROBABILITY):
        raise ModelError(
            f"{where}: it gives other probabilities than the network {recipe.training.label} with its weights",
            "train the model again",
        )
    keep = {layout.MODEL_RECORD, WEIGHTS, EARLIER_NETWORK}
    names = [name for key in store.list(folder) if (name := key.removeprefix(f"{folder}/")) not in keep]
    already = {name: describe_object(store.read(f"{folder}/{name}")) for name in names}
    return save_bundle(store, bundle, after, already=already)


def _read_keras(data: bytes, where: str) -> keras.Model:
    from difsims_core.learn.backend import keras

    with temporary_folder() as folder:
        path = folder / EARLIER_NETWORK
        path.write_bytes(data)
        try:
            network = keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as error:  # noqa: BLE001 Keras raises whatever the part that failed raises
            why = first_line(error)
            raise ModelError(f"{where}: Keras cannot load this network ({why})", "train the model again") from None
    if not isinstance(network, keras.Model):
        raise ModelError(f"{where}: expected a Keras model, found {type(network).__name__}", "train the model again")
    return network


def _convert_index(store: ObjectStore, bundle: ModelBundle) -> None:
    """Write the record that finds the model anew, unless it is missing, in today's form, or that of another model."""
    key = layout.model_index(bundle.training_fingerprint)
    try:
        document = plain_document(store.read(key), store.url(key))
    except MissingObjectError:
        return
    if "sha256" not in document and document.get("id") == bundle.id:
        write_index(store, bundle)
