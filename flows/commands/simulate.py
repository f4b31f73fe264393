"""Simulate a dataset: plan blocks, write groups of them, declare the whole complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from queue import SimpleQueue
from typing import Any

from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.plan import Plan
from difsims_core.dataset.run_simulation import Progress, Steps, run_simulation
from difsims_core.storage.objects import ObjectStore, open_store
from flows.execution.compute import reserve_compute
from flows.execution.steps import begin_dataset, finish_dataset, finished_blocks, make_libraries, write_blocks
from flows.settings import load_settings
from flows.ui.artifacts import tag_run
from flows.ui.events import announce
from flows.ui.final_states import reused
from flows.ui.progress import log_and_show, track_progress
from flows.ui.summaries import show_dataset


def simulate(spec: SimulationSpec, store: str | None = None) -> str:
    """Simulate a dataset and return its id; parameters and errors as those of the flow of this name."""
    objects = open_store(store)
    result = run_simulation(objects, spec, _Groups(), begun=lambda plan: tag_run(plan.id))
    plan = result.plan
    if result.reused:
        message = f"reused dataset {plan.id}: same parameters, crystals and engine, nothing was simulated"
        log_and_show(message)
        show_dataset(objects.root, plan.id)
        return reused(plan.id, message)
    announce(
        "dataset.complete",
        plan.id,
        objects.root,
        labels={"difsims.fingerprint": plan.fingerprint, "difsims.patterns": str(plan.n_patterns)},
    )
    log_and_show(f"dataset {plan.id} is complete: {plan.n_patterns:,} patterns in {plan.n_blocks} blocks")
    show_dataset(objects.root, plan.id)
    return plan.id


class _Groups(Steps):
    """The steps of a command; blocks are written in groups, so many at once as the settings say."""

    def begin(self, store: ObjectStore, spec: SimulationSpec) -> Plan:
        return begin_dataset(store.root, spec)

    def make_libraries(self, store: ObjectStore, spec: SimulationSpec, plan: Plan) -> None:
        """Compute what is missing before blocks are written anywhere: every worker reads it from the store."""
        names = [phase.name for phase in spec.phases]
        log_and_show(f"libraries of beam directions of {', '.join(names)}: those that the store lacks are computed")
        with track_progress(plan.id, "computing libraries", 100 * len(names), "% of a phase"):
            make_libraries(store.root, spec, plan.id)

    def write(self, store: ObjectStore, spec: SimulationSpec, plan: Plan, progress: Progress) -> None:
        """Write the groups; one whose blocks all have their receipts ends as ``Cached``."""
        settings = load_settings()
        with write_blocks.pool() as start, reserve_compute(plan) as at_once:
            done: set[int] = set(finished_blocks(store.root, plan))
            log_and_show(f"simulating {plan.n_patterns:,} patterns of {', '.join(spec.class_names)} as {plan.id}")
            if done:
                log_and_show(f"{len(done)} of {plan.n_blocks} blocks are there already and are kept")

            def submit(group: range) -> Any:
                return start(store.root, spec, plan, group.start, group.stop - 1, written=done.issuperset(group))

            groups = plan.groups(min_blocks=settings.blocks_per_group)
            with track_progress(plan.id, "simulating", plan.n_patterns, "patterns") as work:
                for group in _ended(groups, submit, at_once):
                    patterns = plan.rows(group.stop - 1)[1] - plan.rows(group.start)[0]
                    work.update(group.start, patterns)
                    progress(group.start, patterns)

    def finish(self, store: ObjectStore, plan: Plan) -> None:
        finish_dataset(store.root, plan)


def _ended(groups: Sequence[range], submit: Callable[[range], Any], at_once: int) -> Iterator[range]:
    """Submit groups, so many at once, and yield those that ended well; the first failure ends it."""
    ended: SimpleQueue[tuple[range, Any]] = SimpleQueue()
    following = iter(groups)

    def start(count: int) -> None:
        for group in islice(following, count):
            submit(group).add_done_callback(lambda future, group=group: ended.put((group, future)))

    start(at_once)
    for _ in groups:
        group, future = ended.get()
        future.result()
        start(1)
        yield group
