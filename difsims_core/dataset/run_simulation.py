"""The whole way of a dataset: begin, write what is missing in groups of blocks, finish; whoever runs the groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from difsims_core.dataset import build

if TYPE_CHECKING:
    from difsims_core.config.simulation import SimulationSpec
    from difsims_core.dataset.plan import Plan
    from difsims_core.storage.objects import ObjectStore

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """The dataset of a simulation.

    Attributes
    ----------
    plan : Plan
        Its id, fingerprint and size; it is complete.
    reused : bool
        Whether it was complete before.
    """

    plan: Plan
    reused: bool

    @property
    def id(self) -> str:
        """``sim-<uuid4>``."""
        return self.plan.id


class Steps:
    """The steps of a simulation in this process, one after another; a subclass runs them elsewhere or as tasks.

    Each may be repeated: what is done is found done.
    """

    def begin(self, store: ObjectStore, spec: SimulationSpec) -> Plan:
        """Return the plan of the dataset, new or found (`build.begin`)."""
        return build.begin(store, spec)

    def make_libraries(self, store: ObjectStore, spec: SimulationSpec, _plan: Plan) -> None:
        """Compute the libraries of beam directions that all blocks need, where the store lacks them."""
        from difsims_core.dataset.libraries.source import make_libraries

        make_libraries(store.root, spec)

    def write(self, store: ObjectStore, spec: SimulationSpec, plan: Plan, progress: Progress) -> None:
        """Write every block that has no receipt, and report how many patterns of each group are stored by now."""
        build.write_group(store.root, spec, plan.id, range(plan.n_blocks), lambda done: progress(0, done))

    def finish(self, store: ObjectStore, plan: Plan) -> None:
        """Declare the dataset complete (`build.finish`)."""
        build.finish(store, plan)


def run_simulation(
    store: ObjectStore,
    spec: SimulationSpec,
    steps: Steps | None = None,
    *,
    begun: Callable[[Plan], None] | None = None,
    progress: Progress | None = None,
) -> SimulationResult:
    """Simulate a document into a store; a complete dataset of the same fingerprint is returned as it is.

    Parameters
    ----------
    store
        Where it goes.
    spec
        The document.
    steps
        How its steps are run; default: in this process.
    begun
        Called with the plan, before anything is simulated.
    progress
        Called with the first block of a group and the number of its patterns that are stored by now.

    Raises
    ------
    InputError
        If the document or its crystals cannot be simulated.
    StoreError
        If the store fails; the same call resumes.
    """
    steps = steps or Steps()
    plan = steps.begin(store, spec)
    if begun is not None:
        begun(plan)
    if plan.complete:
        return SimulationResult(plan, reused=True)
    if spec.orientations.kind == "library":
        steps.make_libraries(store, spec, plan)
    steps.write(store, spec, plan, progress or _ignore)
    steps.finish(store, plan)
    return SimulationResult(replace(plan, complete=True), reused=False)


def _ignore(_group: int, _done: int) -> None:
    """Take progress that nobody asked for."""
