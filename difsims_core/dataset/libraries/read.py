"""Read a library from the store, whole, every row held against its receipt; check one of which only the store knows."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from difsims_core.dataset.libraries.records import (
    REMEDY,
    LibraryCompletion,
    LibraryPlan,
    LibraryReceipt,
    content_digest,
    read_completion,
    read_receipts,
)
from difsims_core.diffraction.library.recipe import fingerprint_of, joined
from difsims_core.errors import CorruptDataError, DifsimsError, IncompleteDatasetError
from difsims_core.findings import Findings
from difsims_core.kernels.library import HeldSpots
from difsims_core.storage import layout
from difsims_core.storage.concurrent import ContextPool
from difsims_core.storage.zarr.arrays import read_group
from difsims_core.storage.zarr.shards import decode_shard
from difsims_core.storage.zarr.written import checksum

if TYPE_CHECKING:
    from difsims_core.storage.objects import ObjectStore
    from difsims_core.storage.zarr.metadata import GroupDocument

_READERS = 8


def read_spots(store: ObjectStore, fingerprint: str) -> HeldSpots:
    """Return the spots of a library.

    Raises
    ------
    IncompleteDatasetError
        If it is not written to the end.
    CorruptDataError
        If its records are damaged, or rows are not those that were written.
    """
    completion = read_completion(store, fingerprint)
    if completion is None:
        raise IncompleteDatasetError(
            f"{store.url(layout.library(fingerprint))}: is not written to the end",
            "the next simulation that needs it goes on where it stopped",
        )
    return joined(_blocks(store, completion))


def verify_library(store: ObjectStore, fingerprint: str) -> Findings:
    """Check a library: its records and all its rows.

    Raises
    ------
    IncompleteDatasetError
        If it is not written to the end.
    """
    name = layout.library(fingerprint).rpartition("/")[2].removesuffix(layout.LIBRARY_ENDING)
    try:
        read_spots(store, fingerprint)
    except IncompleteDatasetError:
        raise
    except DifsimsError as error:
        return Findings("library", name, (str(error),))
    return Findings("library", name)


def _blocks(store: ObjectStore, completion: LibraryCompletion) -> list[HeldSpots]:
    """Return the spots of a complete library, block by block."""
    fingerprint = completion.fingerprint
    key = layout.library(fingerprint)
    document = read_group(store, key)
    plan = LibraryPlan.from_document(document.attributes, store.url(key))
    receipts = read_receipts(store, plan)
    digests = (hashlib.sha256(document.data).hexdigest(), content_digest(receipts), fingerprint_of(plan.recipe))
    if digests != (completion.root_sha256, completion.content_sha256, fingerprint) or plan.fingerprint != fingerprint:
        raise CorruptDataError(f"{store.url(key)}: metadata or receipts are not those of its completion record", REMEDY)
    with ContextPool(_READERS, thread_name_prefix="difsims-library") as pool:
        return list(pool.map(lambda item: read_block(store, plan, document, item[1]), sorted(receipts.items())))


def read_block(store: ObjectStore, plan: LibraryPlan, document: GroupDocument, receipt: LibraryReceipt) -> HeldSpots:
    """Return the spots of a block.

    Raises
    ------
    CorruptDataError
        If its rows are not those of the receipt.
    """
    key, (first, stop) = layout.library(plan.fingerprint), plan.members(receipt.block)

    def rows(path: str, n_rows: int) -> np.ndarray:
        where = f"{key}/{path}/{document.arrays[path].object_key(receipt.block)}"
        try:
            found = decode_shard(document.arrays[path], store.read(where), n_rows)
        except (DifsimsError, ValueError, IndexError) as error:
            raise CorruptDataError(f"{store.url(where)}: cannot be read ({error})", REMEDY) from None
        if checksum(found) != receipt.checksums.get(path):
            raise CorruptDataError(f"{store.url(where)}: its rows differ from their receipt", REMEDY)
        return found

    count = rows("count", stop - first)
    start = np.concatenate([[0], np.cumsum(count, dtype=np.int64)])
    if start[-1] != receipt.n_spots:
        raise CorruptDataError(f"{store.url(key)}: block {receipt.block} has another number of spots", REMEDY)
    return HeldSpots(start, rows("reflection", receipt.n_spots), rows("intensity", receipt.n_spots))
