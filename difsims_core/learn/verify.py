"""Check a stored model: its record, everything that the record lists, the classifier, and the index that finds it."""

from __future__ import annotations

from difsims_core.errors import CorruptDataError, InputError, MissingObjectError
from difsims_core.findings import Findings
from difsims_core.learn.bundle import ModelBundle, load_bundle
from difsims_core.learn.index import indexed_id
from difsims_core.learn.weights import WEIGHTS
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore


def verify_model(store: ObjectStore, model_id: str) -> Findings:
    """Return what is wrong with a model: every byte of it is compared with the checksums of its record.

    Raises
    ------
    MissingObjectError
        If there is no model of this id.
    """
    try:
        bundle = load_bundle(model_id, store)
    except (CorruptDataError, InputError) as error:
        return Findings("model", model_id, (str(error),))
    wrong = {name: failure for name in bundle.objects if (failure := _wrong_object(bundle, name))}
    failures = [*wrong.values()]
    if WEIGHTS not in wrong:
        try:
            _ = bundle.classifier
        except (CorruptDataError, InputError) as error:
            failures.append(str(error))
    listed = {f"{bundle.key}/{name}" for name in (*bundle.objects, layout.MODEL_RECORD)}
    strange = [key for key in store.list(bundle.key) if key not in listed]
    warnings = [f"{store.url(key)}: the record does not list it; it is not part of the model" for key in strange]
    wrong_index, warned = _index(store, bundle)
    return Findings("model", bundle.id, (*failures, *wrong_index), (*warnings, *warned))


def _wrong_object(bundle: ModelBundle, name: str) -> str:
    try:
        bundle.read(name)
    except (CorruptDataError, MissingObjectError) as error:
        return str(error)
    return ""


def _index(store: ObjectStore, bundle: ModelBundle) -> tuple[list[str], list[str]]:
    """Return failures and warnings about the record that finds the model by its fingerprint."""
    try:
        named = indexed_id(store, bundle.training_fingerprint)
    except MissingObjectError:
        return [], [f"no record finds it by its training fingerprint {bundle.training_fingerprint}"]
    except CorruptDataError as error:
        return [str(error)], []
    other = f"its training fingerprint finds {named}, a model that was trained again"
    return [], [] if named == bundle.id else [other]
