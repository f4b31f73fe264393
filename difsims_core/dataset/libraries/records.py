"""What is known of a stored library: its blocks, a receipt for each, and the completion record, written last."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict

from difsims_core.errors import CorruptDataError, MissingObjectError
from difsims_core.storage import layout
from difsims_core.storage.concurrent import ContextPool
from difsims_core.storage.record_model import Count, Record, Sha256, Size, Text, Time

if TYPE_CHECKING:
    from difsims_core.storage.objects import ObjectStore

REMEDY = "delete its folder while nothing is simulated: it is computed again when it is needed"
_READERS = 16  # receipts are small: the way to the store is what takes time


class LibraryPlan(Record):
    """The blocks of a library, runs of members; what it says of itself that its reader relies on.

    Attributes
    ----------
    fingerprint : str
        Of its recipe.
    phase : str
        Its name in the document that it was computed for.
    n_members, block_members : int
        Beam directions in all, and of a block.
    block_rows : int
        Rows of the flat arrays of spots that a block owns and fills from the front.
    recipe : mapping
        What the fingerprint is of.
    """

    model_config = ConfigDict(extra="ignore")

    described: ClassVar[str] = "what a library says of itself"
    remedy: ClassVar[str] = REMEDY

    fingerprint: Sha256
    phase: Text
    n_members: Size
    block_members: Size
    block_rows: Size
    recipe: Mapping[str, Any]

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return -(-self.n_members // self.block_members)

    def members(self, block: int) -> tuple[int, int]:
        """Return (first, stop) of a block."""
        return block * self.block_members, min((block + 1) * self.block_members, self.n_members)


class LibraryReceipt(Record):
    """One block of a library, written.

    Attributes
    ----------
    fingerprint : str
        Of the library.
    block : int
        Its number.
    n_spots : int
        Spots of its members.
    checksums : mapping of str to str
        SHA-256 of its rows of each array, by path.
    stored_bytes : int
        Of the objects that hold them.
    """

    described: ClassVar[str] = "the receipt of a block of a library"

    fingerprint: Sha256
    block: Count
    n_spots: Count
    checksums: Mapping[Text, Sha256]
    stored_bytes: Count


class LibraryCompletion(Record):
    """What is known of a complete library.

    Attributes
    ----------
    fingerprint : str
        Of the library.
    n_members, n_spots : int
        Its size.
    content_sha256 : str
        Over the checksums of all rows.
    root_sha256 : str
        Of the root document, which has the metadata of all arrays inside.
    stored_bytes : int
        Of the rows.
    completed : str
        ISO date and time.
    """

    described: ClassVar[str] = "the completion record of a library"
    remedy: ClassVar[str] = REMEDY

    fingerprint: Sha256
    n_members: Size
    n_spots: Count
    content_sha256: Sha256
    root_sha256: Sha256
    stored_bytes: Count
    completed: Time


def read_completion(store: ObjectStore, fingerprint: str) -> LibraryCompletion | None:
    """Return the completion record of a library; None when there is none.

    Raises
    ------
    CorruptDataError
        If it is damaged, or that of another library.
    """
    key = layout.library_completion(fingerprint)
    try:
        found = LibraryCompletion.from_document(store.read_record(key), store.url(key))
    except MissingObjectError:
        return None
    if found.fingerprint != fingerprint:
        raise CorruptDataError(f"{store.url(key)}: it is of the library {found.fingerprint}", REMEDY)
    return found


def read_receipts(store: ObjectStore, plan: LibraryPlan) -> dict[int, LibraryReceipt]:
    """Return the receipts that fit a plan by block; one that does not counts as missing, so that it is made again."""
    there = {key.rpartition("/")[2] for key in store.list(f"{layout.library(plan.fingerprint)}/{layout.RECEIPTS}")}
    wanted = [block for block in range(plan.n_blocks) if layout.receipt_name(block) in there]
    with ContextPool(_READERS, thread_name_prefix="difsims-receipt") as pool:
        receipts = pool.map(lambda block: read_receipt(store, plan, block), wanted)
        return {block: found for block, found in zip(wanted, receipts, strict=True) if found is not None}


def read_receipt(store: ObjectStore, plan: LibraryPlan, block: int) -> LibraryReceipt | None:
    """Return the receipt of a block; None when there is none that fits the plan."""
    key = layout.library_receipt(plan.fingerprint, block)
    try:
        found = LibraryReceipt.from_document(store.read_record(key), store.url(key))
    except (MissingObjectError, CorruptDataError):
        return None
    return found if (found.fingerprint, found.block) == (plan.fingerprint, block) else None


def content_digest(receipts: Mapping[int, LibraryReceipt]) -> str:
    """Return the SHA-256 over the checksums of all rows."""
    content = [[block, sorted(receipt.checksums.items())] for block, receipt in sorted(receipts.items())]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
