"""Compute a library block by block into the store: what is there is kept, and the whole is declared complete last."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from difsims_core.dataset.libraries.read import read_block
from difsims_core.dataset.libraries.records import (
    LibraryCompletion,
    LibraryPlan,
    LibraryReceipt,
    content_digest,
    read_receipts,
)
from difsims_core.errors import CorruptDataError, IncompleteDatasetError, MissingObjectError
from difsims_core.moments import now_text
from difsims_core.storage import layout
from difsims_core.storage.concurrent import ContextPool
from difsims_core.storage.zarr.arrays import (
    ArrayTemplate,
    GroupTemplate,
    create_arrays,
    get_array,
    open_group,
    read_group,
)
from difsims_core.storage.zarr.shards import write_shard
from difsims_core.storage.zarr.written import Written

if TYPE_CHECKING:
    import zarr

    from difsims_core.diffraction.library.recipe import LibraryRecipe
    from difsims_core.storage.objects import ObjectStore

_log = logging.getLogger(__name__)

Progress = Callable[[int], None]
"""Takes the number of members that are stored; what it raises ends the writing."""
Write = Callable[["ObjectStore", "LibraryRecipe", LibraryPlan, Progress], None]
"""Writes the blocks of a library that have no receipts."""
BLOCK_MEMBERS = 512
_CHUNK_ROWS = 2**14  # of spots: a megabyte of intensities
FLAT = ("reflection", "intensity")


def write_library(
    store: ObjectStore, recipe: LibraryRecipe, progress: Progress | None = None, write: Write | None = None
) -> None:
    """Write the blocks of a library that have no receipts, and the completion record last.

    Parameters
    ----------
    store, recipe
        Where to, and of what.
    progress
        Told how many members are stored, as they come.
    write
        Writes the blocks; default: this process, a thread for each processor.

    Raises
    ------
    InputError
        If it would not fit into memory.
    CorruptDataError
        If another library lies in its place.
    """
    plan = plan_of(recipe)
    key = layout.library(plan.fingerprint)
    try:
        begun = LibraryPlan.from_document(read_group(store, key).attributes, store.url(key))
    except MissingObjectError:
        create_arrays(store, key, library_template(recipe, plan))
        begun = plan
    if begun != plan:
        raise CorruptDataError(f"{store.url(key)}: holds another library than its name says", LibraryPlan.remedy)
    (write or write_blocks)(store, recipe, plan, progress or (lambda _stored: None))
    _finish(store, plan)


def write_blocks(store: ObjectStore, recipe: LibraryRecipe, plan: LibraryPlan, progress: Progress) -> None:
    """Compute and write the blocks that have no receipts, a thread for each processor."""
    missing = missing_blocks(store, plan)
    stored = plan.n_members - sum(missing.values())
    progress(stored)
    _log.info("computing %d of %d beam directions of %s", plan.n_members - stored, plan.n_members, plan.phase)
    targets = block_targets(store, plan)
    with ContextPool(os.cpu_count() or 1, thread_name_prefix="difsims-library") as pool:
        futures = [pool.submit(write_block, store, recipe, plan, targets, block) for block in missing]
        try:
            for future, members in zip(futures, missing.values(), strict=True):
                future.result()
                stored += members
                progress(stored)
        finally:
            for future in futures:
                future.cancel()


def missing_blocks(store: ObjectStore, plan: LibraryPlan) -> dict[int, int]:
    """Return the blocks that are to be written, each with its number of members.

    The receipt of a block whose rows are not those that were written is deleted: it is made again.
    """
    document = read_group(store, layout.library(plan.fingerprint))

    def is_sound(receipt: LibraryReceipt) -> bool:
        try:
            read_block(store, plan, document, receipt)
        except CorruptDataError:
            store.delete(layout.library_receipt(plan.fingerprint, receipt.block))
            return False
        return True

    with ContextPool(os.cpu_count() or 1, thread_name_prefix="difsims-library") as pool:
        receipts = read_receipts(store, plan)
        sound = {block for block, ok in zip(receipts, pool.map(is_sound, receipts.values()), strict=True) if ok}
    return {block: stop - first for block in range(plan.n_blocks) if block not in sound
            for first, stop in [plan.members(block)]}  # fmt: skip


def block_targets(store: ObjectStore, plan: LibraryPlan) -> dict[str, zarr.Array]:
    """Return the arrays that blocks are written to, by path."""
    key = layout.library(plan.fingerprint)
    group = open_group(store, key, read_group(store, key))
    return {path: get_array(group, path) for path in ("count", *FLAT)}


def write_block(
    store: ObjectStore, recipe: LibraryRecipe, plan: LibraryPlan, targets: Mapping[str, zarr.Array], block: int
) -> None:
    """Compute the members of a block in this thread and write them, the receipt last."""
    first, stop = plan.members(block)
    held = recipe.spots_of(first, stop)
    recipe.check_size(held, stop - first)
    rows = {"count": np.diff(held.start).astype(np.int32), "reflection": held.reflection, "intensity": held.intensity}
    written = {
        path: Written.of(values, write_shard(targets[path], block, values, partial=path in FLAT))
        for path, values in rows.items()
    }
    receipt = LibraryReceipt(
        fingerprint=plan.fingerprint,
        block=block,
        n_spots=len(held.reflection),
        checksums={path: item.checksum for path, item in written.items()},
        stored_bytes=sum(item.size for item in written.values()),
    )
    store.write(layout.library_receipt(plan.fingerprint, block), receipt.to_record())


def _finish(store: ObjectStore, plan: LibraryPlan) -> None:
    """Write the completion record, now that every block has its receipt."""
    key = layout.library(plan.fingerprint)
    receipts = read_receipts(store, plan)
    if missing := plan.n_blocks - len(receipts):
        raise IncompleteDatasetError(
            f"{store.url(key)}: {missing} of {plan.n_blocks} blocks are not written yet",
            "ask for the same library again, only these are computed",
        )
    record = LibraryCompletion(
        fingerprint=plan.fingerprint,
        n_members=plan.n_members,
        n_spots=sum(receipt.n_spots for receipt in receipts.values()),
        content_sha256=content_digest(receipts),
        root_sha256=hashlib.sha256(read_group(store, key).data).hexdigest(),
        stored_bytes=sum(receipt.stored_bytes for receipt in receipts.values()),
        completed=now_text(),
    )
    store.create(layout.library_completion(plan.fingerprint), record.to_record())
    _log.info("library of %s is complete: %d beam directions, %d spots", plan.phase, plan.n_members, record.n_spots)


def plan_of(recipe: LibraryRecipe) -> LibraryPlan:
    """Return the plan of a library: room for every reflection of every member of a block."""
    most = BLOCK_MEMBERS * len(recipe.engine.phases[recipe.label].hkl)
    return LibraryPlan(
        fingerprint=recipe.fingerprint,
        phase=recipe.crystal.name,
        n_members=recipe.n_members,
        block_members=BLOCK_MEMBERS,
        block_rows=-(-most // _CHUNK_ROWS) * _CHUNK_ROWS,
        recipe=recipe.content,
    )


def library_template(recipe: LibraryRecipe, plan: LibraryPlan) -> GroupTemplate:
    """Return the arrays of a library before its first block: members, thicknesses and reflections are known."""
    hkl, thickness = recipe.engine.phases[recipe.label].hkl, recipe.thickness_angstrom
    rows, t = plan.n_blocks * plan.block_rows, len(thickness)
    said = {"long_name": "intensity of a crystal that fills the beam"}
    return GroupTemplate(
        {
            "direction": ArrayTemplate(
                (plan.n_members, 3), "<f8", ("member", "xyz"), values=recipe.directions.members,
                attributes={"long_name": "direction of the beam in the crystal, a ∥ x, c* ∥ z"},
            ),
            "thickness": ArrayTemplate((t,), "<f4", ("thickness",), values=thickness, attributes={"units": "angstrom"}),
            "hkl": ArrayTemplate(hkl.shape, "<i2", ("reflection_number", "index"), values=hkl),
            "count": ArrayTemplate((plan.n_members,), "<i4", ("member",), plan.block_members, plan.block_members),
            "reflection": ArrayTemplate((rows,), "<i4", ("spot",), plan.block_rows, _CHUNK_ROWS),
            "intensity": ArrayTemplate(
                (rows, t), "<f4", ("spot", "thickness"), plan.block_rows, _CHUNK_ROWS, attributes=said
            ),
        },
        {"": plan.to_document()},
    )  # fmt: skip
