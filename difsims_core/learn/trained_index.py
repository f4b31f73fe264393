"""Which model has a training fingerprint: a record beside the models, written after the model is complete."""

from __future__ import annotations

import logging

from difsims_core.errors import CorruptDataError, InputError, MissingObjectError
from difsims_core.learn.bundle import ModelBundle, load_bundle
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.record_model import ModelId, Record, Sha256, Time

logger = logging.getLogger(__name__)


class IndexRecord(Record):
    """The id of the model that has a training fingerprint."""

    described = "the record of a trained model"
    remedy = "delete it, the model is trained again"

    id: ModelId
    fingerprint: Sha256
    created: Time


def write_index(store: ObjectStore, bundle: ModelBundle) -> None:
    """Record that a model has its training fingerprint."""
    record = IndexRecord(id=bundle.id, fingerprint=bundle.training_fingerprint, created=bundle.created)
    store.write_record(layout.model_index(bundle.training_fingerprint), record.to_document())


def find_indexed(store: ObjectStore, fingerprint: str) -> ModelBundle | None:
    """Return the model of a training fingerprint; None if there is none, or its records cannot be trusted."""
    try:
        bundle = load_bundle(indexed_id(store, fingerprint), store)
    except MissingObjectError:
        return None
    except (CorruptDataError, InputError) as error:
        logger.warning("the record of the model trained on these datasets is unusable, training again (%s)", error)
        return None
    return bundle if bundle.training_fingerprint == fingerprint else None


def indexed_id(store: ObjectStore, fingerprint: str) -> str:
    """Return the id of the model that the index names for a training fingerprint.

    Raises
    ------
    MissingObjectError
        If there is no such record.
    CorruptDataError
        If it is damaged, that of another fingerprint, or names no model.
    """
    key = layout.model_index(fingerprint)
    record = IndexRecord.from_document(store.read_record(key), store.url(key))
    if record.fingerprint != fingerprint:
        raise CorruptDataError(
            f"{store.url(key)}: expected the fingerprint {fingerprint}, found {record.fingerprint}", record.remedy
        )
    return record.id
