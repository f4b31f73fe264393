"""Bring the records of an earlier version into today's form: registry, intake, evaluations, predictions.

Only for a store of one's own: records without a checksum are believed as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from difsims_core.errors import CorruptDataError, ExperimentError, MissingObjectError, StoreError
from difsims_core.models.compare import margins
from difsims_core.models.registry import note_champions, read_registry
from difsims_core.models.registry_record import earlier_registry
from difsims_core.scans.attempts import read_attempts
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import PREDICTION_ENDINGS, read_prediction
from difsims_core.storage.npz.members import seal_members
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.records import from_record, is_record, plain_document, to_record


def convert_records(store: ObjectStore) -> list[str]:
    """Bring predictions, evaluations, intake and registry into today's form; return a line about each that was not.

    What is in today's form stays as it is, so that this may be done again. A prediction or evaluation that cannot be
    brought over is left for the next one to replace; such an intake goes, for what it says can be found out again.

    Raises
    ------
    CorruptDataError
        If the registry cannot be brought over; all else is done by then.
    StoreError
        If the store fails, or another process changes a record at this moment.
    """
    lines = []
    for key in store.list(layout.PREDICTIONS):
        try:
            if key.endswith(PREDICTION_ENDINGS) and _seal(store, key):
                lines.append(f"sealed {key}")
        except (ExperimentError, MissingObjectError) as error:
            lines.append(f"left {key} as it is, delete it and predict the scan again: {error}")
    for key in store.list(layout.EVALUATIONS):
        try:
            if key.endswith(".json") and _convert(store, key, _evaluation):
                lines.append(f"converted {key}")
        except (CorruptDataError, ExperimentError) as error:
            lines.append(f"left {key} as it is, evaluate the map again: {error}")
    try:
        read_attempts(store)
    except CorruptDataError as error:
        store.delete(layout.INTAKE)
        lines.append(f"dropped {layout.INTAKE}, what failed is tried anew: {error}")
    if _convert(store, layout.model_registry(), _registry):
        lines.append(f"converted {layout.model_registry()}")
    note_champions(store, read_registry(store).champions)
    return lines


def _convert(store: ObjectStore, key: str, convert: Callable[[bytes, str], bytes]) -> bool:
    """Bring a record into today's form; return False when there is none, or it is in that form."""
    where = store.url(key)
    try:
        data, version = store.read_versioned(key)
    except MissingObjectError:
        return False
    if is_record(data):
        from_record(data, where)
        return False
    if not store.replace(key, convert(data, where), version):
        raise StoreError(f"{where}: another process has changed it at this moment", "convert again")
    return True


def _seal(store: ObjectStore, key: str) -> bool:
    """Seal a prediction that reads as one, and lies with those of its model."""
    url = store.url(key)
    found = read_prediction(url).cnn_id
    if key.split("/")[1:-1] != [found]:
        raise ExperimentError(f"it says that {found} made it, and lies in another folder")
    return seal_members(url)


def _registry(data: bytes, where: str) -> bytes:
    return earlier_registry(_document(data, where), where).to_record()


def _evaluation(data: bytes, where: str) -> bytes:
    document = _document(data, where)
    margins(document)
    return to_record(document)


def _document(data: bytes, where: str) -> dict[str, Any]:
    document = plain_document(data, where)
    if "sha256" in document:
        raise CorruptDataError(f"{where}: not a record of the earlier form", "restore it")
    return document
