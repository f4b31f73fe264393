"""What is known of a written block: its rows and the checksum of every array, stored after the arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from difsims_core.dataset.overlap import ContextPool
from difsims_core.dataset.peaks import peak_arrays
from difsims_core.errors import CorruptDataError, MissingObjectError
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore

if TYPE_CHECKING:
    from difsims_core.dataset.block import Block
    from difsims_core.dataset.plan import Plan

_READERS = 16  # receipts are small: the way to the store is what takes time


@dataclass(frozen=True, slots=True)
class Receipt:
    """One block, written.

    Attributes
    ----------
    block, start, stop : int
        Its number and rows.
    fingerprint : str
        Of the dataset.
    checksums : mapping of str to str
        SHA-256 of the decoded rows of every array, by path.
    shapes : mapping of str to list of int
        Shape of these rows.
    class_counts : mapping of str to int
        Patterns of each label.
    """

    block: int
    start: int
    stop: int
    fingerprint: str
    checksums: Mapping[str, str]
    shapes: Mapping[str, list[int]]
    class_counts: Mapping[str, int]


def block_arrays(plan: Plan, block: Block) -> dict[str, np.ndarray]:
    """Return the rows of a block by the path of their array; labels lie beside every array of intensities."""
    labels = block.y[:, np.newaxis]
    signals = {"1d/%s_px": block.x_px, "1d/%s_all": block.x_all, "1d/%s_q": block.x_q}
    signals |= {"2d/%s_px": block.cake_px, "2d/%s_all": block.cake_all}
    arrays: dict[str, np.ndarray] = {}
    for path, values in signals.items():
        if values is not None:
            arrays |= {path % "x": values, path % "y": labels}
    if block.fractions is not None:
        arrays["1d/fractions"] = block.fractions
    return arrays | {f"draws/{name}": values for name, values in block.draws.items()} | peak_arrays(plan, block)


def checksum(rows: np.ndarray) -> str:
    """Return the SHA-256 of the bytes of rows, little-endian, C order."""
    little = np.ascontiguousarray(rows, dtype=rows.dtype.newbyteorder("<"))
    return hashlib.sha256(little.reshape(-1).view(np.uint8).data).hexdigest()


def make_receipt(plan: Plan, block: Block, checksums: Mapping[str, str], shapes: Mapping[str, list[int]]) -> Receipt:
    """Return the receipt of a block whose arrays have these checksums and shapes."""
    labels, counts = np.unique(block.y, return_counts=True)
    return Receipt(
        block.start // plan.block_rows,
        block.start,
        block.stop,
        plan.fingerprint,
        checksums,
        shapes,
        {str(label): int(count) for label, count in zip(labels, counts, strict=True)},
    )


def write_receipt(store: ObjectStore, plan: Plan, receipt: Receipt) -> None:
    """Store a receipt: from now on its block counts as written."""
    store.write_json(layout.receipt(plan.id, receipt.block), asdict(receipt))


def read_receipt(store: ObjectStore, plan: Plan, block: int) -> Receipt | None:
    """Return the receipt of a block; None when there is none that fits, so that the block is written again."""
    try:
        document = store.read_json(layout.receipt(plan.id, block))
        receipt = Receipt(**document)
    except (MissingObjectError, CorruptDataError, TypeError):
        return None
    fits = (receipt.start, receipt.stop) == plan.rows(block) and receipt.fingerprint == plan.fingerprint
    whole = bool(receipt.checksums) and list(receipt.checksums) == list(receipt.shapes)
    return receipt if fits and whole and receipt.block == block else None


def read_receipts(store: ObjectStore, plan: Plan, blocks: Iterable[int] | None = None) -> dict[int, Receipt]:
    """Return the fitting receipts of blocks (default: all) by number.

    Those that are there are listed first, a thousand a request, so that a new dataset of 10⁴ blocks is not asked for
    each of them.
    """
    there = set(store.list(layout.receipts(plan.id)))
    wanted = range(plan.n_blocks) if blocks is None else blocks
    wanted = [block for block in wanted if layout.receipt(plan.id, block) in there]
    with ContextPool(_READERS, thread_name_prefix="difsims-receipt") as pool:
        found = pool.map(lambda block: read_receipt(store, plan, block), wanted)
        return {receipt.block: receipt for receipt in found if receipt is not None}


def content_digest(receipts: Mapping[int, Receipt]) -> str:
    """Return the SHA-256 of all checksums in order: one number for the content of a dataset."""
    digest = hashlib.sha256()
    for _, receipt in sorted(receipts.items()):
        digest.update(json.dumps([receipt.block, sorted(receipt.checksums.items())]).encode())
    return digest.hexdigest()
