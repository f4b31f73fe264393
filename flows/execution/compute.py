"""Where datasets, libraries and scans are computed, as the settings say; how groups of a failed run are stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.build import GroupSummary
from difsims_core.dataset.plan import Plan
from flows.execution.executors.base import Executor, Progress
from flows.execution.executors.dask import DaskExecutor
from flows.execution.executors.threads import ThreadsExecutor
from flows.settings import load_settings
from flows.ui.progress import Stopped

if TYPE_CHECKING:
    from difsims_core.dataset.libraries.records import LibraryPlan
    from difsims_core.diffraction.library.recipe import LibraryRecipe
    from difsims_core.experiment.prepare import PreparedScan
    from difsims_core.experiment.write.plan import ScanPlan
    from difsims_core.experiment.write.shards import Progress as ScanProgress
    from difsims_core.storage.objects import ObjectStore

_EXECUTORS: dict[str, type[Executor]] = {"threads": ThreadsExecutor, "dask": DaskExecutor}
_given_up: set[str] = set()  # datasets whose run failed while groups were in flight


@contextmanager
def reserve_compute(plan: Plan) -> Iterator[int]:
    """Hold what computing a dataset needs, and give the number of groups that may be in flight at once.

    When it ends by an exception the groups that are still in flight end too, at their next block.

    Raises
    ------
    ClusterError
        If the Dask scheduler does not answer.
    """
    _given_up.discard(plan.id)
    try:
        with _executor().reserve() as groups_at_once:
            yield groups_at_once
    except BaseException:
        _given_up.add(plan.id)
        raise


def write_group(
    store_url: str, spec: SimulationSpec, plan: Plan, blocks: range, progress: Progress | None = None
) -> GroupSummary:
    """Simulate and write a run of blocks where the settings say; see ``difsims_core.dataset.build.write_group``.

    Raises
    ------
    StoreError
        If the store fails, here or on a worker.
    ClusterError
        If the cluster is lost, or a block was given up because its workers died.
    """

    def reached(patterns: int) -> None:
        if plan.id in _given_up:
            raise Stopped("another group of this dataset failed; finished blocks are kept")
        if progress is not None:
            progress(patterns)

    return _executor().write_group(store_url, spec, plan, blocks, reached)


def write_library(store: ObjectStore, recipe: LibraryRecipe, plan: LibraryPlan, progress: Progress) -> None:
    """Compute and write the missing blocks of a library where the settings say; see `Executor.write_library`."""
    _executor().write_library(store, recipe, plan, progress)


def write_shards(store: ObjectStore, prepared: PreparedScan, plan: ScanPlan, progress: ScanProgress) -> None:
    """Integrate and write the missing shards of a scan where the settings say; see `Executor.write_shards`."""
    _executor().write_shards(store, prepared, plan, progress)


def _executor() -> Executor:
    settings = load_settings()
    return _EXECUTORS[settings.compute](settings)
