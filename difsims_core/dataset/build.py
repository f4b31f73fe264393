"""Build a dataset block by block: begin, write, finish; any of it may be repeated or run twice at once.

Zarr and Numba are loaded where something is written: a dataset that is complete is found in a fraction of that time.

See docs/architecture.md §4.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from difsims_core.dataset.completion import Completion, make_completion, read_completion
from difsims_core.dataset.description import read_description
from difsims_core.dataset.plan import Plan, PlanRecord, fingerprint, plan_blocks
from difsims_core.dataset.receipts import Receipt, read_receipt, read_receipts
from difsims_core.errors import CorruptDataError, IncompleteDatasetError, InputError, MissingObjectError
from difsims_core.moments import now_text
from difsims_core.storage import layout
from difsims_core.storage.concurrent import consume_concurrently
from difsims_core.storage.objects import ObjectStore, open_store

if TYPE_CHECKING:
    from difsims_core.config.simulation import SimulationSpec
    from difsims_core.simulation.block import Block
    from difsims_core.simulation.simulator import Simulator

_log = logging.getLogger(__name__)
_SHOWN = 5  # numbers named in a message
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """What became of a group of blocks.

    Attributes
    ----------
    id : str
        Of the dataset.
    blocks : range
        The group.
    written, skipped : int
        Blocks that were simulated, and blocks that had their receipts already.
    n_patterns : int
        Patterns that were simulated.
    seconds : float
        Wall time.
    """

    id: str
    blocks: range
    written: int
    skipped: int
    n_patterns: int
    seconds: float


def begin(
    store: ObjectStore, spec: SimulationSpec, block_rows: int | None = None, simulator: Simulator | None = None
) -> Plan:
    """Return the plan of the dataset of a document: a new one, or the one that exists, finished or not.

    Of several processes that begin the same document one makes the id; all get it, and may all write blocks.

    Parameters
    ----------
    store
        Where it lies.
    spec
        The document.
    block_rows
        Rows of a block of a new dataset; a multiple of 1024, or of what `default_chunk_rows` says where patterns are
        large. An existing one keeps its own.
    simulator
        The prepared simulator of the document, when there is one already.

    Returns
    -------
    Plan
        ``complete`` says that there is nothing left to do.
    """
    if simulator is None:
        _, found = find(store, spec)  # quick, as a complete one needs no tables
        if found is not None and found.complete:
            return found
        simulator = prepare(store.root, spec)
    plan = _find_or_create(store, simulator, block_rows)
    if _completion_of(store, plan) is not None:
        return replace(plan, complete=True)
    try:
        begun = read_description(store, layout.simulation(plan.id)).plan
    except MissingObjectError:
        from difsims_core.dataset.template import dataset_template
        from difsims_core.storage.zarr.arrays import create_arrays

        create_arrays(store, layout.simulation(plan.id), dataset_template(simulator, plan))
        return plan
    if begun != plan:
        raise _index_of_another(store, plan)
    return plan


def find(store: ObjectStore, spec: SimulationSpec) -> tuple[str, Plan | None]:
    """Return the fingerprint of a document, and the plan of its dataset, finished or not, if it was begun."""
    from difsims_core.simulation.inputs import Inputs

    wanted = fingerprint(Inputs.read(spec))
    try:
        plan = read_index(store, wanted)
    except MissingObjectError:
        return wanted, None
    return wanted, replace(plan, complete=_completion_of(store, plan) is not None)


def read_index(store: ObjectStore, wanted: str) -> Plan:
    """Return the plan of the dataset that has a fingerprint, as the index has it.

    Raises
    ------
    MissingObjectError
        If there is none.
    CorruptDataError
        If the record is damaged, or that of another fingerprint.
    """
    key = layout.simulation_index(wanted)
    plan = PlanRecord.from_document(store.read_record(key), store.url(key)).plan(store.url(key))
    if plan.fingerprint != wanted:
        raise CorruptDataError(
            f"{store.url(key)}: the record is of the fingerprint {plan.fingerprint}, and its name says another",
            "delete it: the next simulation makes a new one",
        )
    return plan


def read_plan(store: ObjectStore, simulation_id: str) -> Plan:
    """Return the plan of a dataset that was begun.

    Raises
    ------
    MissingObjectError
        If there is no such dataset.
    CorruptDataError
        If its metadata are damaged, or another dataset's.
    """
    plan = read_description(store, layout.simulation(simulation_id)).plan
    return replace(plan, complete=_completion_of(store, plan) is not None)


def write_block(
    store: ObjectStore, plan: Plan, simulator: Simulator, block: int, threads: int | None = None
) -> Receipt:
    """Simulate and write a block, its receipt last; one that has a receipt already is left alone."""
    done = read_receipt(store, plan, block)
    if done is not None:
        return done
    from difsims_core.dataset.write import block_targets, store_block

    return store_block(store, plan, block_targets(store, plan), simulator.block(*plan.rows(block), threads))


def write_group(
    store_url: str,
    spec: SimulationSpec,
    simulation_id: str,
    blocks: range,
    progress: Progress | None = None,
    *,
    threads: int | None = None,
    simulator: Simulator | None = None,
) -> GroupSummary:
    """Simulate and write a run of blocks; while one is compressed and stored the next is computed.

    Parameters
    ----------
    store_url, simulation_id
        Where the dataset lies; plain text, so that it may travel to another process.
    spec
        Its document.
    blocks
        Which blocks; those with a receipt are skipped.
    progress
        Called with the number of patterns of this group that are stored so far, first with those found stored.
    threads
        Of the simulation; default: all processors.
    simulator
        The prepared simulator of the document, when there is one already.

    Raises
    ------
    InputError
        If the document is not that of the dataset.
    """
    from difsims_core.dataset.write import block_targets, store_block

    began = time.perf_counter()
    store, simulator = open_store(store_url), simulator or prepare(store_url, spec)
    plan = read_plan(store, simulation_id)
    if fingerprint(simulator) != plan.fingerprint:
        raise InputError(
            f"dataset {simulation_id} was begun with other parameters, crystal files or another version of the engine",
            "begin a dataset for this document",
        )
    done = read_receipts(store, plan, blocks)
    stored = sum(receipt.stop - receipt.start for receipt in done.values())
    patterns = 0
    if progress is not None:
        progress(stored)
    computed = _computed(plan, simulator, [block for block in blocks if block not in done], threads)
    for receipt in consume_concurrently(computed, partial(store_block, store, plan, block_targets(store, plan))):
        patterns += receipt.stop - receipt.start
        if progress is not None:
            progress(stored + patterns)
    return GroupSummary(plan.id, blocks, len(blocks) - len(done), len(done), patterns, time.perf_counter() - began)


def finish(store: ObjectStore, plan: Plan) -> Completion:
    """Write the completion record of a dataset, now that every block has its receipt; return the record.

    Raises
    ------
    IncompleteDatasetError
        If a block is missing; the message names the first few.
    CorruptDataError
        If its metadata were damaged meanwhile, or there is a completion record of another dataset.
    """
    found = _completion_of(store, plan)
    if found is not None:
        return found
    receipts = read_receipts(store, plan)
    missing = [block for block in range(plan.n_blocks) if block not in receipts]
    if missing:
        named = ", ".join(map(str, missing[:_SHOWN])) + (" …" if len(missing) > _SHOWN else "")
        raise IncompleteDatasetError(
            f"dataset {plan.id}: {len(missing)} of {plan.n_blocks} blocks are not written yet ({named})",
            "run the same simulation again, it writes only these",
        )
    document = read_description(store, layout.simulation(plan.id)).document
    record = make_completion(store, plan, document, receipts, now_text())
    if not store.create(layout.completion(plan.id), record.to_record()):
        return read_completion(store, layout.simulation(plan.id))
    _log.info("dataset %s is complete: %d patterns in %d blocks", plan.id, plan.n_patterns, plan.n_blocks)
    return record


def prepare(store_url: str, spec: SimulationSpec) -> Simulator:
    """Return the simulator of a document; libraries that it needs are those of the store, and computed into it."""
    from difsims_core.dataset.libraries.source import StoredLibraries
    from difsims_core.simulation.simulator import Simulator

    return Simulator.prepare(spec, StoredLibraries(store_url))


def _find_or_create(store: ObjectStore, simulator: Simulator, block_rows: int | None) -> Plan:
    wanted = fingerprint(simulator)
    try:
        return read_index(store, wanted)
    except MissingObjectError:
        plan = plan_blocks(simulator, layout.new_simulation_id(), now_text(), block_rows)
    if store.create(layout.simulation_index(wanted), plan.record().to_record()):
        return plan
    return read_index(store, wanted)  # another process was faster


def _completion_of(store: ObjectStore, plan: Plan) -> Completion | None:
    """Return the completion record of a dataset, None when there is none yet; refuse one of another dataset."""
    try:
        found = read_completion(store, layout.simulation(plan.id))
    except MissingObjectError:
        return None
    if (found.id, found.fingerprint) != (plan.id, plan.fingerprint):
        raise _index_of_another(store, plan)
    return found


def _index_of_another(store: ObjectStore, plan: Plan) -> CorruptDataError:
    return CorruptDataError(
        f"{store.url(layout.simulation(plan.id))}: holds another dataset than the index says (fingerprint "
        f"{plan.fingerprint})",
        f"verify it, and delete {layout.simulation_index(plan.fingerprint)}: the next simulation makes a new one",
    )


def _computed(plan: Plan, simulator: Simulator, blocks: list[int], threads: int | None) -> Iterator[Block]:
    for block in blocks:
        yield simulator.block(*plan.rows(block), threads)
