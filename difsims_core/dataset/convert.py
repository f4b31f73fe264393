"""Bring a dataset of the earlier form, records without checksums, into today's; everything is checked before a write.

The earlier completion record covered the rows alone. Axes and class names are compared with what the parameters say, so
that nothing is sealed that gives the rows another meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import ConfigDict

from difsims_core.config.documents import make_spec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.completion import make_completion, read_completion
from difsims_core.dataset.description import Description, read_description, rows_arrays
from difsims_core.dataset.plan import PlanRecord
from difsims_core.dataset.receipts import Receipt, content_digest, read_receipt, receipt_of, write_receipt
from difsims_core.errors import CorruptDataError, MissingObjectError
from difsims_core.signal.grid import AZIMUTH_DEG, RadialGrid
from difsims_core.signal.resample import q_crop_axis
from difsims_core.storage import layout
from difsims_core.storage.record_model import Count, Record, Sha256, SimulationId, Text, Time
from difsims_core.storage.records import plain_document
from difsims_core.storage.zarr.arrays import get_array, open_group
from difsims_core.storage.zarr.shards import decode_shard
from difsims_core.storage.zarr.small_objects import axis_objects
from difsims_core.storage.zarr.written import Written

if TYPE_CHECKING:
    from difsims_core.dataset.plan import Plan
    from difsims_core.storage.objects import ObjectStore
    from difsims_core.storage.zarr.metadata import ArrayLayout


class _EarlierCompletion(Record):
    model_config = ConfigDict(extra="ignore")

    described: ClassVar[str] = "a completion record of the earlier form"

    id: SimulationId
    fingerprint: Sha256
    content_sha256: Sha256
    completed: Time


class _EarlierReceipt(Record):
    model_config = ConfigDict(extra="ignore")

    described: ClassVar[str] = "a receipt of the earlier form"

    fingerprint: Sha256
    block: Count
    start: Count
    stop: Count
    checksums: Mapping[Text, Sha256]
    shapes: Mapping[Text, list[Count]]
    class_counts: Mapping[str, Count]


def convert_dataset(store: ObjectStore, simulation_id: str) -> bool:
    """Bring a dataset of one's own into today's form, and return whether anything of it was in an earlier one.

    Of a complete dataset every row is compared with its checksum first, and axes and class names with the parameters.
    It may be stopped at any moment and run again: the completion record is written last. An incomplete dataset can go
    on afterwards; its blocks of the earlier form are simulated again.

    Raises
    ------
    MissingObjectError
        If there is no such dataset.
    CorruptDataError
        If anything in it is not what it was written as; nothing of it is changed then.
    """
    key = layout.simulation(simulation_id)
    description = read_description(store, key)
    record = f"{key}/{layout.COMPLETE}"
    earlier, where = _earlier(store, record), store.url(record)
    if earlier is None:
        return _convert_index(store, description)
    if (earlier.id, earlier.fingerprint) != (simulation_id, description.plan.fingerprint):
        raise CorruptDataError(f"{where}: the completion record is another dataset's; it cannot be converted")
    _check_meaning(store, key, description)
    receipts = {block: _receipt(store, key, description, block) for block in range(description.plan.n_blocks)}
    if content_digest(receipts) != earlier.content_sha256:
        raise CorruptDataError(f"{where}: was written for other rows; the dataset cannot be converted")
    completion = make_completion(store, description.plan, description.document, receipts, earlier.completed)
    for receipt in receipts.values():
        write_receipt(store, receipt)
    _convert_index(store, description)
    store.write(layout.completion(simulation_id), completion.to_record())
    return True


def _earlier(store: ObjectStore, key: str) -> _EarlierCompletion | None:
    """Return the completion record of the earlier form; None when there is none, or it is of today's form."""
    try:
        data = store.read(key)
    except MissingObjectError:
        return None
    document = plain_document(data, store.url(key))
    if "sha256" in document:
        read_completion(store, key.rpartition("/")[0])
        return None
    return _EarlierCompletion.from_document(document, store.url(key))


def _receipt(store: ObjectStore, key: str, description: Description, block: int) -> Receipt:
    """Return the receipt of a block in today's form, after its rows were compared with the stored one."""
    plan, arrays = description.plan, rows_arrays(description.document)
    record = layout.receipt(plan.id, block)
    known = read_receipt(store, plan, block) or _earlier_receipt(store, record, plan, block)
    if known.checksums.keys() != arrays.keys() or known.shapes.keys() != arrays.keys():
        raise CorruptDataError(f"{store.url(record)}: names other arrays than the dataset has; it cannot be converted")
    written = {path: _written(store, key, path, array, known) for path, array in arrays.items()}
    return receipt_of(plan, block, {path: written[path] for path in known.checksums}, known.class_counts)


def _earlier_receipt(store: ObjectStore, key: str, plan: Plan, block: int) -> Receipt:
    found = _EarlierReceipt.from_document(plain_document(store.read(key), store.url(key)), store.url(key))
    if (found.block, found.start, found.stop, found.fingerprint) != (block, *plan.rows(block), plan.fingerprint):
        raise CorruptDataError(
            f"{store.url(key)}: is not the receipt of block {block}; the dataset cannot be converted"
        )
    return Receipt(id=plan.id, **found.model_dump(), stored_sha256={}, stored_bytes={})


def _written(store: ObjectStore, key: str, path: str, array: ArrayLayout, known: Receipt) -> Written:
    where = f"{store.url(key)}: block {known.block}, {path}"
    try:
        data = store.read(f"{key}/{path}/{array.object_key(known.block)}")
        rows = decode_shard(array, data, min(known.shapes[path][0], array.shard_rows or 0))
    except (MissingObjectError, ValueError, IndexError) as error:
        raise CorruptDataError(f"{where}: cannot be read ({error})", "simulate the dataset again") from None
    found = Written.of(rows, data)
    if (found.checksum, found.shape) != (known.checksums[path], known.shapes[path]):
        raise CorruptDataError(f"{where}: the stored rows differ from their receipt", "simulate the dataset again")
    return found


def _check_meaning(store: ObjectStore, key: str, description: Description) -> None:
    """Refuse axes and class names that are not those of the parameters."""
    where, document = store.url(key), description.document
    spec = make_spec(document.attributes["parameters"], SimulationSpec, source=where, stored=True)
    if spec.class_names != description.phases or spec.n_patterns != description.plan.n_patterns:
        raise CorruptDataError(f"{where}: phases or n_patterns are not those of its parameters", "simulate it again")
    grid, crop = RadialGrid(), spec.postprocessing.q_crop
    axes = {
        "x_px_q_axis": grid.q[grid.crop],
        "x_all_q_axis": grid.q,
        "x_q_q_axis": None if crop is None else q_crop_axis(crop),
        "x_px_azimuth_axis": AZIMUTH_DEG,
        "x_all_azimuth_axis": AZIMUTH_DEG,
    }
    group = open_group(store, key, document)
    for path in axis_objects(document):
        expected = axes.get(path.rpartition("/")[2])
        found = np.asarray(get_array(group, path)[:])
        if expected is None or found.shape != expected.shape or not np.allclose(found, expected, rtol=1e-9, atol=1e-12):
            raise CorruptDataError(
                f"{where}/{path}: is not the axis that its parameters say", "simulate the dataset again"
            )


def _convert_index(store: ObjectStore, description: Description) -> bool:
    """Seal the index record of this dataset, and return whether it was not; one that is another's stays."""
    key = layout.simulation_index(description.plan.fingerprint)
    try:
        document = plain_document(store.read(key), store.url(key))
    except MissingObjectError:
        return False
    earlier = (
        "sha256" not in document and PlanRecord.from_document(document, store.url(key)).plan(key) == description.plan
    )
    if earlier:
        store.write(key, description.plan.record().to_record())
    return earlier
