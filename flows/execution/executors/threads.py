"""Blocks simulated in this process, by the threads of its kernels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset import build
from difsims_core.dataset.build import GroupSummary
from difsims_core.dataset.plan import Plan
from flows.execution.concurrency_limit import simulation_slot
from flows.execution.executors.base import Executor, Progress

if TYPE_CHECKING:
    from difsims_core.dataset.libraries.records import LibraryPlan
    from difsims_core.diffraction.library.recipe import LibraryRecipe
    from difsims_core.experiment.prepare import PreparedScan
    from difsims_core.experiment.write.plan import ScanPlan
    from difsims_core.experiment.write.shards import Progress as ScanProgress
    from difsims_core.storage.objects import ObjectStore


class ThreadsExecutor(Executor):
    """Simulates in the process of the flow."""

    @contextmanager
    def reserve(self) -> Iterator[int]:
        """Wait for a slot of this machine."""
        with simulation_slot(self._settings.simulations_a_machine):
            yield self._settings.groups_at_once

    def write_group(
        self, store_url: str, spec: SimulationSpec, plan: Plan, blocks: range, progress: Progress
    ) -> GroupSummary:
        """Simulate and write the blocks that have no receipts."""
        return build.write_group(store_url, spec, plan.id, blocks, progress=progress)

    def write_library(self, store: ObjectStore, recipe: LibraryRecipe, plan: LibraryPlan, progress: Progress) -> None:
        """Compute and write the blocks that have no receipts."""
        from difsims_core.dataset.libraries.write import write_blocks

        write_blocks(store, recipe, plan, progress)

    def write_shards(self, store: ObjectStore, prepared: PreparedScan, plan: ScanPlan, progress: ScanProgress) -> None:
        """Integrate and write the shards that have no receipts."""
        from difsims_core.experiment.write.shards import write_shards

        write_shards(store, prepared, plan, progress)
