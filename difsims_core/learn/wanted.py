"""Which models are to map every scan of a store: those whose training asked for it."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from difsims_core.errors import CorruptDataError, InputError, MissingObjectError
from difsims_core.learn.bundle import ModelBundle, load_bundle
from difsims_core.storage import layout
from difsims_core.storage.ids import list_models
from difsims_core.storage.objects import ObjectStore

logger = logging.getLogger(__name__)


def models_to_evaluate(store: ObjectStore) -> list[ModelBundle]:
    """Return the models whose training asked for maps of every scan, the latest first; reads records, no weights.

    A model that is incomplete or damaged is left out.
    """
    found = []
    for name in list_models(store):
        try:
            bundle = load_bundle(name, store)
        except (CorruptDataError, InputError, MissingObjectError) as error:
            logger.info("%s maps no scans, its record cannot be used (%s)", name, error)
            continue
        if bundle.training.evaluate:
            found.append(bundle)
    return sorted(found, key=lambda bundle: (datetime.fromisoformat(bundle.created), bundle.id), reverse=True)


def takes_polar(store: ObjectStore, model: str) -> bool:
    """Return whether a model takes polar patterns; one whose record cannot be used says so when it is used."""
    try:
        return load_bundle(model, store).input.kind == "polar"
    except (CorruptDataError, InputError, MissingObjectError):
        return False


def request_evaluation(store: ObjectStore, bundle: ModelBundle, *, wanted: bool = True) -> ModelBundle:
    """Record whether a stored model is to map every scan, and return it; its weights stay what they are."""
    training = bundle.training.model_copy(update={"evaluate": wanted})
    store.write_record(layout.model_record(bundle.id), replace(bundle, training=training).to_document())
    return load_bundle(bundle.id, store)
