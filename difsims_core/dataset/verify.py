"""Check a dataset, every object of it, and on request simulate a sample of blocks again.

See docs/architecture.md §§4, 9.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from difsims_core.dataset.completion import objects_digest
from difsims_core.dataset.crystals import CrystalToday, crystals_today, document_today
from difsims_core.dataset.description import Description, read_description, rows_arrays, versions_in_words
from difsims_core.dataset.open import Simulation, locate_simulation, open_simulation
from difsims_core.dataset.plan import fingerprint
from difsims_core.dataset.receipts import Receipt, block_arrays, content_digest, read_receipts
from difsims_core.errors import CorruptDataError, DifsimsError
from difsims_core.findings import Findings
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.zarr.shards import decode_shard
from difsims_core.storage.zarr.small_objects import read_small_objects
from difsims_core.storage.zarr.written import checksum

if TYPE_CHECKING:
    from pathlib import Path

    from difsims_core.simulation.simulator import Simulator
    from difsims_core.storage.zarr.metadata import ArrayLayout


_SHOWN = 20  # findings of one kind
_MOST_DIGITS = 12


@dataclass(frozen=True, slots=True)
class VerifyReport(Findings):
    """What a check of a dataset found.

    Attributes
    ----------
    blocks : int
        Blocks whose checksums were recomputed.
    resimulated : tuple of int
        Blocks that were simulated again and compared byte by byte.
    """

    blocks: int = 0
    resimulated: tuple[int, ...] = ()


def verify(
    store: ObjectStore,
    simulation: str | Path,
    resimulate: int = 0,
    progress: Callable[[int], None] | None = None,
    *,
    simulator: Simulator | None = None,
) -> VerifyReport:
    """Check every object of a complete dataset, and that its crystal files are read now as they were then.

    Parameters
    ----------
    store, simulation
        Where it lies: its id, the beginning of one, or its URL or path.
    resimulate
        How many blocks to simulate again, spread evenly from the first to the last.
    progress
        Called with the number of blocks checked so far.
    simulator
        The prepared simulator of its document, when there is one already.

    Raises
    ------
    IncompleteDatasetError, MissingObjectError, InputError
        If there is nothing complete to check; everything else that is wrong goes into the report.
    """
    try:
        sim = open_simulation(simulation, store)
    except CorruptDataError as error:
        name = locate_simulation(simulation, store)[1].rpartition("/")[2]
        return VerifyReport("dataset", name.removesuffix(layout.SIMULATION_ENDING), (str(error),))
    description, failures = read_description(sim.store, sim.key), list[str]()
    plan, arrays = description.plan, rows_arrays(description.document)
    receipts = read_receipts(sim.store, plan, folder=sim.key)
    failures += _check_objects(sim, description, receipts)
    crystals = _crystals(sim, failures)
    failures += [crystal.finding for crystal in crystals if crystal.misread]
    chosen = _sample(plan.n_blocks, resimulate)
    if chosen:
        simulator = _simulator(sim, crystals, simulator, failures)
    for block in range(plan.n_blocks):
        again = block_arrays(plan, simulator.block(*plan.rows(block))) if block in chosen and simulator else None
        if block in receipts:
            failures += _check_block(sim, arrays, receipts[block], again)
        if progress is not None:
            progress(block + 1)
    resimulated = chosen if simulator is not None else ()
    warnings = tuple(crystal.finding for crystal in crystals if crystal.finding and not crystal.misread)
    return VerifyReport("dataset", sim.id, tuple(failures), warnings, plan.n_blocks, resimulated)


def _check_objects(sim: Simulation, description: Description, receipts: Mapping[int, Receipt]) -> list[str]:
    """Return which objects are too many or too few, and whether the completion record was written for the others."""
    plan = description.plan
    missing = [block for block in range(plan.n_blocks) if block not in receipts]
    failures = [f"block {block}: its receipt is missing or damaged" for block in missing[:_SHOWN]]
    if len(missing) > _SHOWN:
        failures.append(f"{len(missing)} of {plan.n_blocks} blocks have no receipt, or a damaged one")
    try:
        small = read_small_objects(sim.store, sim.key, description.document)
    except CorruptDataError as error:
        return [*failures, str(error)]
    known = {layout.COMPLETE, *small}
    arrays = rows_arrays(description.document)
    names = (key.removeprefix(f"{sim.key}/") for key in sim.store.list(sim.key))
    failures += [
        f"{ascii(name)[1:-1]}: does not belong to this dataset; remove it"
        for name in names
        if name not in known and not _is_of_a_block(name, arrays, plan.n_blocks)
    ]
    if content_digest(receipts) != sim.completion.content_sha256:
        failures.append("the receipts are not those that the completion record was written for")
    elif objects_digest(small, receipts) != sim.completion.objects_sha256:
        failures.append("metadata, axes or receipts are not those that the completion record was written for")
    return failures


def _is_of_a_block(name: str, arrays: Mapping[str, ArrayLayout], n_blocks: int) -> bool:
    """Return whether an object is a receipt or holds the rows of a block."""
    path, _, chunk = name.partition("/c/")
    array = arrays.get(path)
    if array is None:
        folder, _, file = name.rpartition("/")
        number = file.removesuffix(".json")
        return folder == layout.RECEIPTS and _counts(number, n_blocks) and file == layout.receipt_name(int(number))
    number = chunk.partition("/")[0]
    return _counts(number, n_blocks) and f"c/{chunk}" == array.object_key(int(number))


def _counts(number: str, n_blocks: int) -> bool:
    return number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS and int(number) < n_blocks


def _crystals(sim: Simulation, failures: list[str]) -> tuple[CrystalToday, ...]:
    try:
        return crystals_today(sim)
    except DifsimsError as error:
        failures.append(f"its parameters cannot be used: {error}")
        return ()


def _sample(n_blocks: int, wanted: int) -> tuple[int, ...]:
    return tuple(sorted({int(block) for block in np.linspace(0, n_blocks - 1, min(wanted, n_blocks)).round()}))


def _simulator(
    sim: Simulation, crystals: Sequence[CrystalToday], simulator: Simulator | None, failures: list[str]
) -> Simulator | None:
    """Return the simulator of a dataset, or None, with the reason, when it cannot be the same any more."""
    if simulator is None:
        from difsims_core.simulation.simulator import Simulator

        try:
            simulator = Simulator.prepare(document_today(sim, crystals))
        except DifsimsError as error:
            failures.append(f"cannot be simulated again: {error}")
            return None
    if fingerprint(simulator) == sim.fingerprint:
        return simulator
    made, here = (versions_in_words(versions) for versions in (sim.attrs, simulator.versions))
    reason = f"made by {made}, this is {here}" if made != here else "its crystal files, or how they are read, differ"
    failures.append(f"cannot be simulated again: {reason}")
    return None


def _check_block(
    sim: Simulation, arrays: Mapping[str, ArrayLayout], receipt: Receipt, again: Mapping[str, np.ndarray] | None
) -> list[str]:
    """Return what is wrong with the objects of a block; ``again``: what a new simulation gave."""
    if receipt.checksums.keys() != arrays.keys():
        return [f"block {receipt.block}: its receipt names other arrays than the dataset has"]
    failures = []
    for path, array in arrays.items():
        try:
            failures += _check_rows(sim, path, array, receipt, None if again is None else again[path])
        except (DifsimsError, ValueError, IndexError) as error:
            failures.append(f"block {receipt.block}, {path}: cannot be read ({error})")
    return failures


def _check_rows(
    sim: Simulation, path: str, array: ArrayLayout, receipt: Receipt, again: np.ndarray | None
) -> list[str]:
    data = sim.store.read(f"{sim.key}/{path}/{array.object_key(receipt.block)}")
    rows = decode_shard(array, data, min(receipt.shapes[path][0], array.shard_rows or 0))
    stored = (checksum(rows), list(rows.shape))
    findings = []
    if stored != (receipt.checksums[path], receipt.shapes[path]):
        findings.append("the stored rows differ from their receipt")
    elif (hashlib.sha256(data).hexdigest(), len(data)) != (receipt.stored_sha256[path], receipt.stored_bytes[path]):
        findings.append("the stored bytes differ from their receipt")
    if again is not None and stored != (checksum(again), list(again.shape)):
        findings.append("the stored rows differ from a new simulation")
    return [f"block {receipt.block}, {path}: {finding}" for finding in findings]
