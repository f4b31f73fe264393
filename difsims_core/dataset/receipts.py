"""What is known of a written block: its rows, the checksums of its rows and of its objects, stored after the arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from difsims_core.dataset.peaks import peak_arrays
from difsims_core.errors import CorruptDataError, MissingObjectError
from difsims_core.storage import layout
from difsims_core.storage.concurrent import ContextPool
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.record_model import Count, Record, Sha256, SimulationId, Size, Text

if TYPE_CHECKING:
    from difsims_core.dataset.plan import Plan
    from difsims_core.simulation.block import Block
    from difsims_core.storage.zarr.written import Written

_READERS = 16  # receipts are small: the way to the store is what takes time


class Receipt(Record):
    """One block, written.

    Attributes
    ----------
    id, fingerprint : str
        Of the dataset.
    block, start, stop : int
        Its number and rows.
    checksums : mapping of str to str
        SHA-256 of the decoded rows of every array, by path.
    shapes : mapping of str to list of int
        Shape of these rows.
    stored_sha256 : mapping of str to str
        SHA-256 of the object that holds them, as it is stored, by path of the array.
    stored_bytes : mapping of str to int
        Its size.
    class_counts : mapping of str to int
        Patterns of each label.
    """

    described: ClassVar[str] = "the receipt of a block"

    id: SimulationId
    fingerprint: Sha256
    block: Count
    start: Count
    stop: Size
    checksums: Mapping[Text, Sha256]
    shapes: Mapping[Text, list[Count]]
    stored_sha256: Mapping[Text, Sha256]
    stored_bytes: Mapping[Text, Count]
    class_counts: Mapping[str, Count]


def block_arrays(plan: Plan, block: Block) -> dict[str, np.ndarray]:
    """Return the rows of a block by the path of their array; labels lie beside every array of intensities."""
    labels = block.y[:, np.newaxis]
    signals = {"1d/%s_px": block.x_px, "1d/%s_all": block.x_all, "1d/%s_q": block.x_q}
    signals |= {"2d/%s_px": block.polar_px, "2d/%s_all": block.polar_all, "polar/%s": block.polar}
    arrays: dict[str, np.ndarray] = {}
    for path, values in signals.items():
        if values is not None:
            arrays |= {path % "x": values, path % "y": labels}
    if block.fractions is not None:
        arrays["1d/fractions"] = block.fractions
    return arrays | {f"draws/{name}": values for name, values in block.draws.items()} | peak_arrays(plan, block)


def make_receipt(plan: Plan, block: Block, written: Mapping[str, Written]) -> Receipt:
    """Return the receipt of a block, of which this was written by path."""
    labels, counts = np.unique(block.y, return_counts=True)
    by_label = {str(label): int(count) for label, count in zip(labels, counts, strict=True)}
    return receipt_of(plan, block.start // plan.block_rows, written, by_label)


def receipt_of(plan: Plan, block: int, written: Mapping[str, Written], class_counts: Mapping[str, int]) -> Receipt:
    """Return the receipt of a block by its number."""
    start, stop = plan.rows(block)
    return Receipt(
        id=plan.id,
        fingerprint=plan.fingerprint,
        block=block,
        start=start,
        stop=stop,
        checksums={path: item.checksum for path, item in written.items()},
        shapes={path: item.shape for path, item in written.items()},
        stored_sha256={path: item.sha256 for path, item in written.items()},
        stored_bytes={path: item.size for path, item in written.items()},
        class_counts=class_counts,
    )


def write_receipt(store: ObjectStore, receipt: Receipt) -> None:
    """Store a receipt: from now on its block counts as written."""
    store.write(layout.receipt(receipt.id, receipt.block), receipt.to_record())


def read_receipt(store: ObjectStore, plan: Plan, block: int, folder: str | None = None) -> Receipt | None:
    """Return the receipt of a block; None when there is none that fits, so that the block is written again.

    ``folder`` is that of the dataset where it lies outside of `layout.SIMULATIONS`.
    """
    key = f"{folder or layout.simulation(plan.id)}/{layout.RECEIPTS}/{layout.receipt_name(block)}"
    try:
        receipt = Receipt.from_document(store.read_record(key), store.url(key))
    except (MissingObjectError, CorruptDataError):
        return None
    mine = (receipt.id, receipt.fingerprint, receipt.block) == (plan.id, plan.fingerprint, block)
    paths = list(receipt.checksums)
    whole = all(list(held) == paths for held in (receipt.shapes, receipt.stored_sha256, receipt.stored_bytes))
    return receipt if mine and paths and whole and (receipt.start, receipt.stop) == plan.rows(block) else None


def read_receipts(
    store: ObjectStore, plan: Plan, blocks: Iterable[int] | None = None, folder: str | None = None
) -> dict[int, Receipt]:
    """Return the fitting receipts of blocks (default: all) by number; ``folder`` as for `read_receipt`.

    Those that are there are listed first, a thousand a request, so that a new dataset of 10⁴ blocks is not asked for
    each of them.
    """
    there = {key.rpartition("/")[2] for key in store.list(f"{folder or layout.simulation(plan.id)}/{layout.RECEIPTS}")}
    wanted = range(plan.n_blocks) if blocks is None else blocks
    wanted = [block for block in wanted if layout.receipt_name(block) in there]
    with ContextPool(_READERS, thread_name_prefix="difsims-receipt") as pool:
        found = pool.map(lambda block: read_receipt(store, plan, block, folder), wanted)
        return {receipt.block: receipt for receipt in found if receipt is not None}


def content_digest(receipts: Mapping[int, Receipt]) -> str:
    """Return the SHA-256 of all checksums in order: one number for the rows of a dataset, wherever it is stored."""
    digest = hashlib.sha256()
    for _, receipt in sorted(receipts.items()):
        digest.update(json.dumps([receipt.block, sorted(receipt.checksums.items())]).encode())
    return digest.hexdigest()
