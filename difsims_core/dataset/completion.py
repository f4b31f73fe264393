"""The completion record of a dataset, written last: it agrees with every object of the dataset, or there is none.

Rows are covered by the receipts, which hold the checksums of their objects; everything else, the receipts too, by one
digest. The root document and the q axes have checksums of their own, so that they can be checked when they are read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import model_validator

from difsims_core.dataset.receipts import Receipt, content_digest
from difsims_core.storage import layout
from difsims_core.storage.record_model import Count, Items, Record, Sha256, SimulationId, Size, Text, Time
from difsims_core.storage.zarr.metadata import GroupDocument
from difsims_core.storage.zarr.small_objects import axis_objects, read_small_objects

if TYPE_CHECKING:
    from difsims_core.dataset.plan import Plan
    from difsims_core.storage.objects import ObjectStore

_READERS = 16


class Completion(Record):
    """What is known of a complete dataset.

    Attributes
    ----------
    id, fingerprint, phases, summary
        As its attributes say.
    n_patterns, n_blocks : int
        Its size.
    class_counts : mapping of str to int
        Patterns of each label.
    content_sha256 : str
        Over the checksums of all rows, the same wherever the same rows are stored.
    root_sha256 : str
        Of the root document, which has the metadata of all arrays inside.
    axes : mapping of str to str
        SHA-256 of the object of each axis, by path of the array.
    objects_sha256 : str
        Over key and checksum of every object but this record and the rows.
    stored_bytes : int
        Size of all objects but this record.
    completed : str
        ISO date and time.
    """

    described: ClassVar[str] = "the completion record of a dataset"

    id: SimulationId
    fingerprint: Sha256
    phases: Items[Text]
    summary: Text
    n_patterns: Size
    n_blocks: Size
    class_counts: Mapping[str, Count]
    content_sha256: Sha256
    root_sha256: Sha256
    axes: Mapping[Text, Sha256]
    objects_sha256: Sha256
    stored_bytes: Count
    completed: Time

    @model_validator(mode="after")
    def _counts_every_pattern(self) -> Self:
        labels = {str(label) for label in range(len(self.phases))}
        if not self.class_counts.keys() <= labels or sum(self.class_counts.values()) != self.n_patterns:
            raise ValueError(
                f"expected class_counts of {len(labels)} labels that sum to {self.n_patterns} patterns, found others"
            )
        return self


def read_completion(store: ObjectStore, key: str) -> Completion:
    """Return the completion record in the folder of a dataset.

    Raises
    ------
    MissingObjectError
        If there is none.
    CorruptDataError
        If it is damaged, or of an earlier version.
    """
    key = f"{key}/{layout.COMPLETE}"
    return Completion.from_document(store.read_record(key), store.url(key))


def make_completion(
    store: ObjectStore, plan: Plan, document: GroupDocument, receipts: Mapping[int, Receipt], completed: str
) -> Completion:
    """Return the completion record of a dataset that has all its receipts.

    Raises
    ------
    CorruptDataError
        If its metadata do not agree with each other, or an object is missing.
    """
    key = layout.simulation(plan.id)
    small = read_small_objects(store, key, document)
    counts: dict[str, int] = {}
    for receipt in receipts.values():
        for label, count in receipt.class_counts.items():
            counts[label] = counts.get(label, 0) + count
    records = _receipt_records(receipts)
    rows = sum(size for receipt in receipts.values() for size in receipt.stored_bytes.values())
    found = {
        "id": plan.id,
        "fingerprint": plan.fingerprint,
        "phases": tuple(document.attributes["phases"]),
        "summary": document.attributes["summary"],
        "n_patterns": plan.n_patterns,
        "n_blocks": plan.n_blocks,
        "class_counts": dict(sorted(counts.items(), key=lambda item: int(item[0]))),
        "content_sha256": content_digest(receipts),
        "root_sha256": hashlib.sha256(document.data).hexdigest(),
        "axes": {path: hashlib.sha256(small[axis]).hexdigest() for path, axis in axis_objects(document).items()},
        "objects_sha256": objects_digest(small, receipts),
        "stored_bytes": rows + sum(map(len, small.values())) + sum(map(len, records.values())),
        "completed": completed,
    }
    return Completion.from_document(found, store.url(f"{key}/{layout.COMPLETE}"))


def objects_digest(small: Mapping[str, bytes], receipts: Mapping[int, Receipt]) -> str:
    """Return the SHA-256 over key and checksum of metadata, axes and receipts."""
    objects = {**small, **_receipt_records(receipts)}
    sums = sorted((name, hashlib.sha256(data).hexdigest()) for name, data in objects.items())
    return hashlib.sha256(json.dumps(sums).encode()).hexdigest()


def _receipt_records(receipts: Mapping[int, Receipt]) -> dict[str, bytes]:
    return {
        f"{layout.RECEIPTS}/{layout.receipt_name(block)}": receipt.to_record() for block, receipt in receipts.items()
    }
