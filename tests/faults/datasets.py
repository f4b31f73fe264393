"""Small datasets in small blocks: begin one, see what is stored of it, compare it with one nothing happened to."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NamedTuple

import pytest

from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset import build
from difsims_core.dataset.open import open_simulation
from difsims_core.dataset.plan import Plan
from difsims_core.dataset.receipts import read_receipts
from difsims_core.dataset.verify import verify
from difsims_core.simulation.simulator import Simulator
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore

ROWS = 1024
"""Of a block: the least there is, so that a small dataset has several."""


class Dataset(NamedTuple):
    """A dataset and where it lies."""

    store: ObjectStore
    id: str


def build_blocks(store: ObjectStore, spec: SimulationSpec, blocks: Iterable[int] = ()) -> Plan:
    """Begin a dataset in blocks of ``ROWS`` and write some of them."""
    simulator = Simulator.prepare(spec)
    plan = build.begin(store, spec, ROWS, simulator)
    for block in blocks:
        build.write_block(store, plan, simulator, block)
    return plan


def finished(store: ObjectStore, plan: Plan) -> set[int]:
    """Return the blocks that have a receipt."""
    return set(read_receipts(store, plan))


def assert_same(found: Dataset, expected: Dataset) -> None:
    """Hold a dataset to be whole and, object by object, the bytes of another."""
    digests = [open_simulation(item.id, item.store).completion.content_sha256 for item in (found, expected)]
    assert digests[0] == digests[1]
    assert verify(found.store, found.id, resimulate=1).ok
    stored = [_pieces(item) for item in (found, expected)]
    assert stored[0]
    assert stored[0] == stored[1]


def _pieces(dataset: Dataset) -> dict[str, bytes]:
    """Return everything stored but the records, which hold ids and times."""
    folder = layout.simulation(dataset.id)
    keys = [key for key in dataset.store.list(folder) if not key.endswith(".json")]
    return {key.removeprefix(folder): dataset.store.read(key) for key in keys}


def count_blocks(monkeypatch: pytest.MonkeyPatch, seconds: float = 0.0) -> list[int]:
    """Return a list that grows by the number of each block that is simulated from now on, each taking so long more."""
    simulated: list[int] = []
    original = Simulator.block

    def counted(self: Simulator, start: int, stop: int, threads: int | None = None):
        simulated.append(start // ROWS)
        time.sleep(seconds)
        return original(self, start, stop, threads)

    monkeypatch.setattr(Simulator, "block", counted)
    return simulated
