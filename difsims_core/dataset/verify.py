"""Check a dataset: recompute every checksum, and on request simulate a sample of blocks again (DESIGN §4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from difsims_core.dataset.open import Simulation, open_simulation
from difsims_core.dataset.plan import Plan, fingerprint
from difsims_core.dataset.receipts import Receipt, block_arrays, checksum, content_digest, read_receipts
from difsims_core.errors import DifsimsError
from difsims_core.storage.objects import ObjectStore

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
    """

    id: str
    blocks: int
    resimulated: tuple[int, ...]
    failures: tuple[str, ...]

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
    """Check a complete dataset.

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
    plan = Plan(sim.id, sim.fingerprint, sim.n_patterns, sim.block_rows, sim.attrs["chunk_rows"], complete=True)
    failures: list[str] = []
    receipts = read_receipts(store, plan)
    if content_digest(receipts) != sim.completion["content_sha256"]:
        failures.append("the receipts are not those that the completion record was written for")
    chosen = _sample(plan.n_blocks, resimulate)
    if chosen:
        simulator = _simulator(sim, simulator, failures)
    for block in range(plan.n_blocks):
        failures += _check_rows(sim, plan, block, receipts.get(block))
        if block in chosen and simulator is not None:
            failures += _check_simulation(sim, plan, block, simulator)
        if progress is not None:
            progress(block + 1)
    return VerifyReport(sim.id, plan.n_blocks, chosen if simulator is not None else (), tuple(failures))


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
    reason = f"made by engine {made}, this is {here}" if made != here else "its crystal files have changed since"
    failures.append(f"cannot be simulated again: {reason}")
    return None


def _check_rows(sim: Simulation, plan: Plan, block: int, receipt: Receipt | None) -> list[str]:
    if receipt is None:
        return [f"block {block}: its receipt is missing or damaged"]
    rows = slice(*plan.rows(block))
    failures = []
    for path, expected in receipt.checksums.items():
        try:
            found = checksum(np.asarray(sim[path][rows]))
        except Exception as error:  # noqa: BLE001 damaged bytes fail in many ways, each of them is the finding
            failures.append(f"block {block}, {path}: cannot be read ({error})")
            continue
        if found != expected:
            failures.append(f"block {block}, {path}: the stored rows differ from their receipt")
    return failures


def _check_simulation(sim: Simulation, plan: Plan, block: int, simulator: Simulator) -> list[str]:
    start, stop = plan.rows(block)
    failures = []
    for path, expected in block_arrays(simulator.block(start, stop)).items():
        try:
            found = np.asarray(sim[path][start:stop])
        except Exception as error:  # noqa: BLE001 reported once more under the array
            failures.append(f"block {block}, {path}: cannot be read ({error})")
            continue
        if found.shape != expected.shape or found.tobytes() != np.ascontiguousarray(expected).tobytes():
            failures.append(f"block {block}, {path}: the stored rows differ from a new simulation")
    return failures
