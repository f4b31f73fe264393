"""Blocks of datasets and libraries and shards of scans, written by the workers of a Dask cluster."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from queue import Empty, SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Any

from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.build import GroupSummary
from difsims_core.dataset.plan import MOST_GROUPS, Plan
from difsims_core.dataset.receipts import read_receipts
from difsims_core.dataset.remote import block_order
from difsims_core.storage.objects import open_store
from flows.execution.executors.base import Executor, Progress
from flows.execution.executors.dask_cluster import Cluster, cluster, connection_lost, failure_of
from flows.execution.retries import may_go_away
from flows.ui.progress import log_and_show

if TYPE_CHECKING:
    from distributed import Future

    from difsims_core.dataset.libraries.records import LibraryPlan
    from difsims_core.diffraction.library.recipe import LibraryRecipe
    from difsims_core.experiment.prepare import PreparedScan
    from difsims_core.experiment.write.plan import ScanPlan
    from difsims_core.experiment.write.shards import Progress as ScanProgress
    from difsims_core.storage.objects import ObjectStore

_WRITE_BLOCK = "difsims_core.dataset.remote:write_remote_block"
_WRITE_MEMBERS = "difsims_core.dataset.libraries.remote:write_remote_members"
_WRITE_SHARD = "difsims_core.experiment.write.remote:write_remote_shard"
POLL_SECONDS = 1.0  # between looks at a stop request and at the cluster
_ordering = Lock()


@dataclass(frozen=True, slots=True)
class _Work:
    """What workers do to each part: a function by name, what pages and people call it, and what it must know."""

    function: str
    name: str
    said: str | None
    order: Callable[[], Mapping[str, Any]]


class DaskExecutor(Executor):
    """Sends blocks to the workers of the scheduler at ``DIFSIMS_DASK_ADDRESS``."""

    @contextmanager
    def reserve(self) -> Iterator[int]:
        """Connect to the cluster; its groups are all in flight at once, for the threads of the flow only wait."""
        with self._cluster() as found:
            log_and_show(f"blocks go to the Dask cluster at {found.address} with {found.threads} threads")
            yield MOST_GROUPS

    def write_group(
        self, store_url: str, spec: SimulationSpec, plan: Plan, blocks: range, progress: Progress
    ) -> GroupSummary:
        """Let workers simulate and write the blocks that have no receipts."""
        began = time.perf_counter()
        done = read_receipts(open_store(store_url), plan, blocks)
        rows = {block: plan.rows(block) for block in blocks if block not in done}
        missing = {block: stop - start for block, (start, stop) in rows.items()}
        stored = sum(receipt.stop - receipt.start for receipt in done.values())
        work = _Work(_WRITE_BLOCK, f"block-of-{plan.id}", None, lambda: _order(spec, plan, store_url))
        self._send(work, missing, stored, progress)
        patterns = sum(missing.values())
        return GroupSummary(plan.id, blocks, len(missing), len(done), patterns, time.perf_counter() - began)

    def write_library(self, store: ObjectStore, recipe: LibraryRecipe, plan: LibraryPlan, progress: Progress) -> None:
        """Let workers compute and write the blocks that have no receipts."""
        from difsims_core.dataset.libraries.remote import library_order
        from difsims_core.dataset.libraries.write import missing_blocks

        missing = missing_blocks(store, plan)
        name, what = f"library-of-{plan.phase}", f"parts of the library of {plan.phase}"
        work = _Work(_WRITE_MEMBERS, name, what, lambda: library_order(store, recipe))
        self._send(work, missing, plan.n_members - sum(missing.values()), progress)

    def write_shards(self, store: ObjectStore, prepared: PreparedScan, plan: ScanPlan, progress: ScanProgress) -> None:
        """Let workers integrate and write the shards that have no receipts."""
        from difsims_core.experiment.write.records import read_receipts as read_shard_receipts
        from difsims_core.experiment.write.remote import shard_order

        done = read_shard_receipts(store, plan)
        missing = {shard: plan.patterns_of(shard) for shard in range(plan.n_shards) if shard not in done}
        work = _Work(
            _WRITE_SHARD, f"shard-of-{plan.name}", "parts of the scan", lambda: shard_order(store, prepared, plan)
        )
        stored = plan.n_patterns - sum(missing.values())
        self._send(work, missing, stored, lambda stored: progress(stored, plan.n_patterns))

    def _send(self, work: _Work, missing: Mapping[int, int], stored: int, progress: Progress) -> None:
        """Let workers write the missing parts, each given with its size, and tell how much is stored by then."""
        progress(stored)
        if not missing:
            return
        order = work.order()
        with self._cluster() as found:
            if work.said is not None:
                log_and_show(f"{work.said} go to the Dask cluster at {found.address} with {found.threads} threads")
            still_wanted = lambda: progress(stored)  # noqa: E731 - what it counts is here
            with closing(map_blocks(found, work.function, list(missing), order, still_wanted, work.name)) as written:
                for part in written:
                    stored += missing[part]
                    progress(stored)

    def _cluster(self) -> AbstractContextManager[Cluster]:
        return cluster(str(self._settings.dask_address))


def map_blocks(
    found: Cluster,
    function: str,
    blocks: Sequence[int],
    order: Mapping[str, Any],
    still_wanted: Callable[[], None],
    work: str = "block",
) -> Generator[int]:
    """Call a function for every block on a cluster and yield the numbers of the blocks, as they end.

    What the function returns stays on its worker: that a block is written is told by its receipt in the store.

    Parameters
    ----------
    found
        The cluster.
    function
        Of a block number and the keyword arguments of ``order``, as ``module:name``; workers can import it.
    blocks, order
        What to call it with.
    still_wanted
        Called every second; what it raises cancels the rest.
    work
        What pages of the cluster call it.

    Raises
    ------
    Exception
        What the function raised: at once if another try will not help, otherwise when all other blocks have ended.
    """
    attempt = uuid.uuid4().hex[:8]  # the failure of a key is remembered as long as anybody holds its future
    keys = [(work, block, attempt) for block in blocks]
    futures: list[Future] = found.client.map(
        call_by_name(), blocks, key=keys, pure=False, function=function, order=dict(order)
    )
    waiting: dict[Any, tuple[int, Future]] = dict(zip(keys, zip(blocks, futures, strict=True), strict=True))
    failure: BaseException | None = None
    try:
        for future in _ended(found, futures, still_wanted):
            block, _ = waiting.pop(future.key)
            if future.status == "finished":
                future.release()
                yield block
                continue
            problem = failure_of(future, found.address)
            if not may_go_away(problem):
                raise problem
            failure = failure or problem
    finally:
        if waiting and not found.lost:
            found.client.cancel([future for _, future in waiting.values()])
    if failure is not None:
        raise failure


def call_by_name() -> Callable[..., Any]:
    """Return a function that travels as its code, and imports what it calls where it runs.

    Dask sends a function of a module by name, and a worker that cannot import it dies of the message, as does each
    that takes over from it. This one raises ``ImportError``, and the scheduler needs nothing of ours.
    """

    def call(block: int, function: str, order: dict[str, Any]) -> Any:
        from pkgutil import resolve_name

        return resolve_name(function)(block, **order)

    return call


def _ended(found: Cluster, futures: list[Future], still_wanted: Callable[[], None]) -> Iterator[Future]:
    """Yield futures as they end; raise when the scheduler is lost or nobody wants them any more."""
    ended: SimpleQueue[Future] = SimpleQueue()
    for future in futures:
        future.add_done_callback(ended.put)
    left = len(futures)
    while left:
        try:
            yield ended.get(timeout=POLL_SECONDS)
            left -= 1
        except Empty:
            still_wanted()
            if found.lost:
                raise connection_lost(found.address) from None
            found.look()


@lru_cache(maxsize=4)
def _order_of(spec: SimulationSpec, plan: Plan, store_url: str) -> dict[str, str]:
    return block_order(spec, plan, store_url)


def _order(spec: SimulationSpec, plan: Plan, store_url: str) -> dict[str, str]:
    """Return what workers must know; the groups of a dataset ask at the same time, the tables are built once."""
    with _ordering:
        return _order_of(spec, plan, store_url)  # pyright: ignore[reportArgumentType] - frozen models have a hash
