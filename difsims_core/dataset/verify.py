"""Check a dataset: recompute every checksum, and on request simulate a sample of blocks again (DESIGN §4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from difsims_core.dataset.crystals import crystals_today
from difsims_core.dataset.open import Simulation, open_simulation
from difsims_core.dataset.plan import Plan, fingerprint, plan_from
from difsims_core.dataset.receipts import Receipt, block_arrays, checksum, content_digest, read_receipts
from difsims_core.errors import DifsimsError
from difsims_core.storage.objects import ObjectStore
from difsims_core.storage.shards import shard_rows

if TYPE_CHECKING:
    from difsims_core.dataset.simulate import Simulator


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a check found.

    Attributes
    ----------
    id : str
        The dataset.
    blocks : int
        Blocks whose checksums were recomputed.
    resimulated : tuple of int
        Blocks that were simulated again and compared byte by byte.
    failures : tuple of str
        One sentence each; empty when all is well.
    warnings : tuple of str
        What has changed since it was simulated and does not make it wrong: crystal files that were edited or are gone.
    """

    id: str
    blocks: int
    resimulated: tuple[int, ...]
    failures: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failures


def verify(
    store: ObjectStore,
    simulation_id: str,
    resimulate: int = 0,
    progress: Callable[[int], None] | None = None,
    *,
    simulator: Simulator | None = None,
) -> VerifyReport:
    """Check a complete dataset, and that its crystal files are read now as they were then.

    Parameters
    ----------
    store, simulation_id
        Where it lies.
    resimulate
        How many blocks to simulate again, spread evenly from the first to the last.
    progress
        Called with the number of blocks checked so far.
    simulator
        The prepared simulator of its document, when there is one already.

    Raises
    ------
    IncompleteDatasetError, MissingObjectError
        If there is nothing complete to check; everything else that is wrong goes into the report.
    """
    sim = open_simulation(simulation_id, store)
    plan = plan_from(sim.attrs, sim.url)
    failures: list[str] = []
    receipts = read_receipts(store, plan)
    if content_digest(receipts) != sim.completion["content_sha256"]:
        failures.append("the receipts are not those that the completion record was written for")
    crystals = crystals_today(sim)
    failures += [crystal.finding for crystal in crystals if crystal.misread]
    chosen = _sample(plan.n_blocks, resimulate)
    if chosen:
        simulator = _simulator(sim, simulator, failures)
    for block in range(plan.n_blocks):
        failures += _check_rows(sim, block, receipts.get(block))
        if block in chosen and simulator is not None:
            failures += _check_simulation(sim, plan, block, simulator)
        if progress is not None:
            progress(block + 1)
    resimulated = chosen if simulator is not None else ()
    warnings = tuple(crystal.finding for crystal in crystals if crystal.finding and not crystal.misread)
    return VerifyReport(sim.id, plan.n_blocks, resimulated, tuple(failures), warnings)


def _sample(n_blocks: int, wanted: int) -> tuple[int, ...]:
    return tuple(sorted({int(block) for block in np.linspace(0, n_blocks - 1, min(wanted, n_blocks)).round()}))


def _simulator(sim: Simulation, simulator: Simulator | None, failures: list[str]) -> Simulator | None:
    """Return the simulator of a dataset, or None, with the reason, when it cannot be the same any more."""
    if simulator is None:
        from difsims_core.dataset.simulate import Simulator

        try:
            simulator = Simulator.prepare(sim.spec)
        except DifsimsError as error:
            failures.append(f"cannot be simulated again: {error}")
            return None
    if fingerprint(simulator) == sim.fingerprint:
        return simulator
    made, here = sim.attrs["engine_version"], simulator.engine_version
    reason = (
        f"made by engine {made}, this is {here}" if made != here else "its crystal files, or how they are read, differ"
    )
    failures.append(f"cannot be simulated again: {reason}")
    return None


def _check_rows(sim: Simulation, block: int, receipt: Receipt | None) -> list[str]:
    if receipt is None:
        return [f"block {block}: its receipt is missing or damaged"]
    found = {path: (receipt.shapes[path][0], expected) for path, expected in receipt.checksums.items()}
    return _compare(sim, block, found, "the stored rows differ from their receipt")


def _check_simulation(sim: Simulation, plan: Plan, block: int, simulator: Simulator) -> list[str]:
    arrays = block_arrays(plan, simulator.block(*plan.rows(block)))
    made = {path: (len(rows), checksum(rows)) for path, rows in arrays.items()}
    return _compare(sim, block, made, "the stored rows differ from a new simulation")


def _compare(sim: Simulation, block: int, expected: Mapping[str, tuple[int, str]], finding: str) -> list[str]:
    """Return what is wrong with the first rows of the shards of a block: expected are their number and checksum."""
    failures = []
    for path, (rows, digest) in expected.items():
        try:
            array = sim[path]
            first = block * shard_rows(array)
            stored = np.asarray(array[first : first + max(rows, 1)])[:rows]  # a block without spots has a shard too
        except Exception as error:  # noqa: BLE001 damaged bytes fail in many ways, each of them is the finding
            failures.append(f"block {block}, {path}: cannot be read ({error})")
            continue
        if checksum(stored) != digest:
            failures.append(f"block {block}, {path}: {finding}")
    return failures
