"""What writes the parts of datasets, libraries and preprocessed scans: executors, which all make the same bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.build import GroupSummary
from difsims_core.dataset.plan import Plan
from flows.settings import Settings

if TYPE_CHECKING:
    from difsims_core.dataset.libraries.records import LibraryPlan
    from difsims_core.diffraction.library.recipe import LibraryRecipe
    from difsims_core.experiment.prepare import PreparedScan
    from difsims_core.experiment.write.plan import ScanPlan
    from difsims_core.experiment.write.shards import Progress as ScanProgress
    from difsims_core.storage.objects import ObjectStore

Progress = Callable[[int], None]
"""Told how many patterns or beam directions are stored by now; what it raises ends the work."""


class Executor(ABC):
    """Writes groups of blocks, libraries and shards of scans; used by several threads of a flow at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @abstractmethod
    def reserve(self) -> AbstractContextManager[int]:
        """Hold what computing a dataset needs, and give the number of groups that may be in flight at once.

        Raises
        ------
        ClusterError
            If a cluster is needed and does not answer.
        Stopped
            If the work was asked to stop while it waited.
        """

    @abstractmethod
    def write_group(
        self, store_url: str, spec: SimulationSpec, plan: Plan, blocks: range, progress: Progress
    ) -> GroupSummary:
        """Simulate and write the blocks that have no receipts; return what ``dataset.build.write_group`` returns.

        Raises
        ------
        StoreError
            If the store fails.
        ClusterError
            If the cluster is lost, or a block was given up because its workers died.
        """

    @abstractmethod
    def write_library(self, store: ObjectStore, recipe: LibraryRecipe, plan: LibraryPlan, progress: Progress) -> None:
        """Compute and write the blocks of a library, as ``dataset.libraries.write.write_blocks``.

        Raises
        ------
        InputError
            If it would not fit into memory.
        StoreError
            If the store fails.
        ClusterError
            If a cluster is needed and does not answer, or is lost.
        """

    @abstractmethod
    def write_shards(self, store: ObjectStore, prepared: PreparedScan, plan: ScanPlan, progress: ScanProgress) -> None:
        """Integrate and write the shards of a scan that have no receipts, as ``experiment.write.shards.write_shards``.

        Raises
        ------
        ExperimentError
            If frames cannot be read or integrated.
        StoreError
            If the store fails.
        ClusterError
            If a cluster is needed and does not answer, or is lost.
        """
