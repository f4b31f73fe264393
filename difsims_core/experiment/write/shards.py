"""Write the shards of a preprocessed scan, each once, and declare the whole complete."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

import numpy as np

from difsims_core.errors import IncompleteDatasetError
from difsims_core.experiment.frames import Block, blocks_of
from difsims_core.experiment.integrate.blocks import Patterns, integrated_blocks
from difsims_core.experiment.prepare import PreparedScan
from difsims_core.experiment.write.claims import require_claim
from difsims_core.experiment.write.plan import ScanPlan
from difsims_core.experiment.write.records import (
    ScanCompletion,
    ShardReceipt,
    completion_key,
    content_digest,
    objects_digest,
    read_receipts,
    receipt_key,
)
from difsims_core.experiment.write.template import rows_of
from difsims_core.moments import now_text
from difsims_core.storage import layout
from difsims_core.storage.concurrent import consume_concurrently
from difsims_core.storage.npz.contracts import write_profiles
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.zarr.arrays import get_array, open_group, read_group
from difsims_core.storage.zarr.shards import write_shard
from difsims_core.storage.zarr.small_objects import read_small_objects
from difsims_core.storage.zarr.written import Written

_log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Takes the number of patterns that are stored, and of all."""


def write_shards(store: ObjectStore, prepared: PreparedScan, plan: ScanPlan, progress: Progress) -> None:
    """Integrate and write the shards of a scan that have no receipts; a few are in memory at a time."""
    done = read_receipts(store, plan)
    shards = [shard for shard in range(plan.n_shards) if shard not in done]
    stored = plan.n_patterns - sum(plan.patterns_of(shard) for shard in shards)
    progress(stored, plan.n_patterns)
    for receipt in write_group(store, prepared, plan, shards):
        stored += plan.patterns_of(receipt.shard)
        progress(stored, plan.n_patterns)


def write_group(
    store: ObjectStore, prepared: PreparedScan, plan: ScanPlan, shards: Iterable[int], n_threads: int | None = None
) -> Iterator[ShardReceipt]:
    """Integrate and write shards, and yield their receipts; while one is stored the next is computed."""
    group = open_group(store, layout.experiment_polar(plan.name))

    def store_shard(item: tuple[int, Patterns]) -> ShardReceipt:
        shard, patterns = item
        require_claim(store, plan.name, plan.fingerprint)  # before anything of another writer's is overwritten
        written = {
            path: Written.of(rows, write_shard(get_array(group, path), shard, rows))
            for path, rows in rows_of(patterns).items()
        }
        prepared.scan.require_unchanged()  # of the raw file that the plan is about, or there is no receipt
        receipt = ShardReceipt.of(plan, shard, written)
        store.write(receipt_key(plan.name, shard), receipt.to_record())
        return receipt

    blocks = [block for shard in shards for block in blocks_of(prepared.scan, plan.rows(shard))]
    pieces = integrated_blocks(prepared, blocks, n_threads)
    yield from consume_concurrently(_whole_shards(plan, pieces), store_shard, workers=1)


def finish(store: ObjectStore, plan: ScanPlan) -> ScanCompletion:
    """Write the profiles as the file that classifiers read, then the completion record.

    Raises
    ------
    IncompleteDatasetError
        If a shard has no receipt.
    ExperimentError
        If another process has taken the name meanwhile.
    """
    receipts = read_receipts(store, plan)
    missing = plan.n_shards - len(receipts)
    if missing:
        raise IncompleteDatasetError(
            f"{plan.name}: {missing} of {plan.n_shards} parts are not written yet",
            "preprocess the scan again, it writes only these",
        )
    require_claim(store, plan.name, plan.fingerprint)
    key = layout.experiment_polar(plan.name)
    document = read_group(store, key)
    group = open_group(store, key, document)
    q, profiles, flags = (np.asarray(get_array(group, path)[...]) for path in ("profile_q", "profiles", "flags"))
    step, url = document.attributes["scan_step_nm"], store.url(layout.experiment_profiles(plan.name))
    written = write_profiles(url, q, profiles, scan_step_nm=step, flags=flags)
    completion = ScanCompletion(
        name=plan.name,
        fingerprint=plan.fingerprint,
        ny=plan.ny,
        nx=plan.nx,
        content_sha256=content_digest(receipts),
        objects_sha256=objects_digest(read_small_objects(store, key, document), receipts),
        profiles_sha256=written.sha256,
        stored_bytes=sum(size for receipt in receipts.values() for size in receipt.stored_bytes.values()),
        completed=now_text(),
    )
    store.write(completion_key(plan.name), completion.to_record())
    _log.info("experiment %s is complete: %d patterns", plan.name, plan.n_patterns)
    return completion


def _whole_shards(plan: ScanPlan, pieces: Iterable[tuple[Block, Patterns]]) -> Iterator[tuple[int, Patterns]]:
    for shard, parts in groupby(pieces, key=lambda piece: plan.shard_of(piece[0].rows.start)):
        yield shard, Patterns.of_rows(parts, plan.rows(shard), plan.nx)
