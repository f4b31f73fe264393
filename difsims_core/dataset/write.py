"""Write one simulated block: a shard of every array, several at a time, then its receipt (docs/architecture.md §4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from difsims_core.dataset.peaks import FLAT
from difsims_core.dataset.receipts import Receipt, block_arrays, make_receipt, write_receipt
from difsims_core.errors import InputError
from difsims_core.storage import layout
from difsims_core.storage.concurrent import ContextPool
from difsims_core.storage.zarr.arrays import array_names, get_array, open_group
from difsims_core.storage.zarr.shards import write_shard
from difsims_core.storage.zarr.written import Written

if TYPE_CHECKING:
    import zarr

    from difsims_core.dataset.plan import Plan
    from difsims_core.simulation.block import Block
    from difsims_core.storage.objects import ObjectStore

_SHARDS_AT_ONCE = 4  # of one block: most are small, and the way to the store is what takes time


def block_targets(store: ObjectStore, plan: Plan) -> dict[str, zarr.Array]:
    """Return the arrays that every block has a shard of; to look one up takes longer than to write a small one."""
    group = open_group(store, layout.simulation(plan.id))
    arrays = {path: get_array(group, path) for path in array_names(group)}
    return {path: array for path, array in arrays.items() if array.shards is not None}


def store_block(store: ObjectStore, plan: Plan, targets: Mapping[str, zarr.Array], block: Block) -> Receipt:
    """Write the shards of a block, several at a time, then its receipt.

    Raises
    ------
    InputError
        If the block has other arrays than the dataset.
    """
    number, arrays = block.start // plan.block_rows, block_arrays(plan, block)
    if arrays.keys() != targets.keys():
        raise InputError(
            f"block {number} of dataset {plan.id}: expected rows of {', '.join(sorted(targets))}, found those of "
            f"{', '.join(sorted(arrays))}; the simulator and the template disagree"
        )

    def write(path: str) -> Written:
        return Written.of(arrays[path], write_shard(targets[path], number, arrays[path], partial=path in FLAT))

    with ContextPool(_SHARDS_AT_ONCE, thread_name_prefix="difsims-shard") as pool:
        written = dict(zip(arrays, pool.map(write, arrays), strict=True))
    receipt = make_receipt(plan, block, written)
    write_receipt(store, receipt)
    return receipt
