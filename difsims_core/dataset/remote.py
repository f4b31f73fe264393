"""Write one block of a dataset from plain values: what a worker of a cluster does (docs/architecture.md §4).

Nothing heavy is loaded before the first block: a function is looked up where a worker also answers its scheduler.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from difsims_core.dataset.description import versions_in_words
from difsims_core.errors import InputError
from difsims_core.remote_errors import said_by_this_worker
from difsims_core.version import __version__

if TYPE_CHECKING:
    import zarr

    from difsims_core.config.simulation import SimulationSpec
    from difsims_core.dataset.plan import Plan
    from difsims_core.simulation.simulator import Simulator
    from difsims_core.storage.objects import ObjectStore

_preparing = Lock()


def block_order(spec: SimulationSpec, plan: Plan, store_url: str) -> dict[str, str]:
    """Return what a worker must know to write blocks of a dataset: texts, so that nothing else can travel.

    Parameters
    ----------
    spec
        The document; places of files in it become absolute.
    plan
        Of the dataset.
    store_url
        Root of the store, without credentials.

    Returns
    -------
    dict
        The keyword arguments of `write_remote_block`.
    """
    from difsims_core.simulation.simulator import Simulator

    simulator = Simulator.prepare(spec)
    return {
        "store_url": store_url,
        "simulation_id": plan.id,
        "document": json.dumps(simulator.spec.to_document(), sort_keys=True),
        "fingerprint": plan.fingerprint,
        "made_by": computed_by(simulator),
    }


def write_remote_block(
    block: int, *, store_url: str, simulation_id: str, document: str, fingerprint: str, made_by: str
) -> dict[str, Any]:
    """Simulate a block in one thread and write it; one that is written already is left alone.

    Parameters
    ----------
    block
        Its number.
    store_url, simulation_id
        Where the dataset lies. Credentials come from the environment of this process.
    document
        The parameters, JSON.
    fingerprint, made_by
        What this process must agree with: the fingerprint of the dataset, and the versions it was computed with.

    Returns
    -------
    dict
        ``block``, ``patterns``, ``written`` (False: it was there already), ``seconds``, ``host``.

    Raises
    ------
    InputError
        If this process would simulate other bytes.
    StoreError
        If the store fails; ``StoreAccessError`` if there are no credentials here.
    """
    from difsims_core.dataset.receipts import read_receipt
    from difsims_core.dataset.write import store_block

    began = time.perf_counter()
    with said_by_this_worker():
        with _preparing:
            store, plan, simulator, targets = _prepared(store_url, simulation_id, document, fingerprint, made_by)
        start, stop = plan.rows(block)
        missing = read_receipt(store, plan, block) is None
        if missing:
            # One thread: the cluster has one task a core. The four threads that write its shards mostly wait.
            store_block(store, plan, targets, simulator.block(start, stop, threads=1))
    return {
        "block": block,
        "patterns": stop - start,
        "written": missing,
        "seconds": time.perf_counter() - began,
        "host": socket.gethostname(),
    }


@lru_cache(maxsize=4)
def _prepared(
    store_url: str, simulation_id: str, document: str, fingerprint: str, made_by: str
) -> tuple[ObjectStore, Plan, Simulator, Mapping[str, zarr.Array]]:
    """Return what all blocks of a dataset need, made once a process."""
    from difsims_core.config.documents import make_spec
    from difsims_core.dataset.build import prepare, read_plan
    from difsims_core.dataset.plan import fingerprint as fingerprint_of
    from difsims_core.dataset.write import block_targets
    from difsims_core.storage.objects import open_store

    store = open_store(store_url)
    plan = read_plan(store, simulation_id)
    simulator = prepare(store_url, make_spec(json.loads(document), source=f"parameters of {simulation_id}"))
    if not fingerprint_of(simulator) == fingerprint == plan.fingerprint:
        raise InputError(
            f"expected a worker that simulates the bytes of dataset {simulation_id}, begun by {made_by}; found "
            f"{computed_by(simulator)}, whose fingerprint is another. Install the same version of difsims with the "
            "same crystal files on all workers, and restart them"
        )
    return store, plan, simulator, block_targets(store, plan)


def computed_by(simulator: Simulator) -> str:
    """Return in words which versions a simulator computes with, for messages."""
    return f"difsims {__version__} with {versions_in_words(simulator.versions)}"
