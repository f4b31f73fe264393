"""Records of a preprocessed scan: a receipt for each shard, and the completion record, which is written last."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from difsims_core.errors import CorruptDataError, MissingObjectError
from difsims_core.storage import layout
from difsims_core.storage.concurrent import ContextPool
from difsims_core.storage.record_model import Count, Record, Sha256, Size, Text, Time

if TYPE_CHECKING:
    from difsims_core.experiment.write.plan import ScanPlan
    from difsims_core.storage.objects import ObjectStore
    from difsims_core.storage.zarr.written import Written

_READERS = 16  # receipts are small: the way to the store is what takes time


class ShardReceipt(Record):
    """One shard of a preprocessed scan, written.

    Attributes
    ----------
    name, fingerprint : str
        Of the scan.
    shard : int
        Its number.
    checksums : mapping of str to str
        SHA-256 of the decoded rows of each array, by path.
    stored_sha256 : mapping of str to str
        SHA-256 of the object that holds them.
    stored_bytes : mapping of str to int
        Its size.
    """

    described: ClassVar[str] = "the receipt of some rows of a preprocessed scan"

    name: Text
    fingerprint: Sha256
    shard: Count
    checksums: Mapping[Text, Sha256]
    stored_sha256: Mapping[Text, Sha256]
    stored_bytes: Mapping[Text, Count]

    @classmethod
    def of(cls, plan: ScanPlan, shard: int, written: Mapping[str, Written]) -> ShardReceipt:
        """Return the receipt of a shard, of which this was written by path."""
        return cls(
            name=plan.name,
            fingerprint=plan.fingerprint,
            shard=shard,
            checksums={path: item.checksum for path, item in written.items()},
            stored_sha256={path: item.sha256 for path, item in written.items()},
            stored_bytes={path: item.size for path, item in written.items()},
        )


class ScanCompletion(Record):
    """What is known of a complete preprocessed scan.

    Attributes
    ----------
    name, fingerprint
        As its attributes say.
    ny, nx : int
        Scan positions.
    content_sha256 : str
        Over the checksums of all rows, the same wherever the same rows are stored.
    objects_sha256 : str
        Over key and checksum of metadata, axes and receipts.
    profiles_sha256 : str
        Of the file of profiles.
    stored_bytes : int
        Of the rows.
    completed : str
        ISO date and time.
    """

    described: ClassVar[str] = "the completion record of a preprocessed scan"

    name: Text
    fingerprint: Sha256
    ny: Size
    nx: Size
    content_sha256: Sha256
    objects_sha256: Sha256
    profiles_sha256: Sha256
    stored_bytes: Count
    completed: Time


def completion_key(name: str) -> str:
    """Return the key of the completion record of a preprocessed scan."""
    return f"{layout.experiment_polar(name)}/{layout.COMPLETE}"


def receipt_key(name: str, shard: int) -> str:
    """Return the key of the receipt of a shard."""
    return f"{layout.experiment_polar(name)}/{layout.RECEIPTS}/{layout.receipt_name(shard)}"


def read_receipts(store: ObjectStore, plan: ScanPlan) -> dict[int, ShardReceipt]:
    """Return the receipts that fit a plan by shard; one that does not counts as missing, so that it is made again."""
    there = {key.rpartition("/")[2] for key in store.list(f"{layout.experiment_polar(plan.name)}/{layout.RECEIPTS}")}
    wanted = [shard for shard in range(plan.n_shards) if layout.receipt_name(shard) in there]

    def read(shard: int) -> ShardReceipt | None:
        key = receipt_key(plan.name, shard)
        try:
            found = ShardReceipt.from_document(store.read_record(key), store.url(key))
        except (MissingObjectError, CorruptDataError):
            return None
        mine = (found.name, found.fingerprint, found.shard) == (plan.name, plan.fingerprint, shard)
        alike = found.checksums.keys() == found.stored_sha256.keys() == found.stored_bytes.keys()
        return found if mine and alike else None

    with ContextPool(_READERS, thread_name_prefix="difsims-receipt") as pool:
        return {shard: found for shard, found in zip(wanted, pool.map(read, wanted), strict=True) if found is not None}


def read_completion(store: ObjectStore, name: str) -> ScanCompletion | None:
    """Return the completion record of a preprocessed scan; None when there is none.

    Raises
    ------
    CorruptDataError
        If it is damaged, or that of another scan.
    """
    key = completion_key(name)
    try:
        found = ScanCompletion.from_document(store.read_record(key), store.url(key))
    except MissingObjectError:
        return None
    if found.name != name:
        raise CorruptDataError(f"{store.url(key)}: it is of {ascii(found.name)[1:-1]}", "restore it")
    return found


def content_digest(receipts: Mapping[int, ShardReceipt]) -> str:
    """Return the SHA-256 over the checksums of all rows."""
    content = [[shard, sorted(receipt.checksums.items())] for shard, receipt in sorted(receipts.items())]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def objects_digest(small: Mapping[str, bytes], receipts: Mapping[int, ShardReceipt]) -> str:
    """Return the SHA-256 over key and checksum of metadata and axes, ``small``, and receipts."""
    records = {f"{layout.RECEIPTS}/{layout.receipt_name(i)}": item.to_record() for i, item in receipts.items()}
    sums = sorted((name, hashlib.sha256(data).hexdigest()) for name, data in {**small, **records}.items())
    return hashlib.sha256(json.dumps(sums).encode()).hexdigest()
