"""Compute one block of a library from plain values: what a worker of a cluster does (docs/architecture.md §4).

Nothing heavy is loaded before the first block: a function is looked up where a worker also answers its scheduler.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from difsims_core.dataset.remote import computed_by
from difsims_core.errors import InputError
from difsims_core.remote_errors import said_by_this_worker

if TYPE_CHECKING:
    import zarr

    from difsims_core.dataset.libraries.records import LibraryPlan
    from difsims_core.diffraction.library.recipe import LibraryRecipe
    from difsims_core.storage.objects import ObjectStore

_preparing = Lock()


def library_order(store: ObjectStore, recipe: LibraryRecipe) -> dict[str, str]:
    """Return what a worker must know to write blocks of a library, the keyword arguments of `write_remote_members`.

    Texts, so that nothing else can travel.
    """
    from difsims_core.simulation.simulator import Simulator

    simulator = Simulator.prepare(recipe.spec)
    return {
        "store_url": store.root,
        "document": json.dumps(simulator.spec.to_document(), sort_keys=True),
        "fingerprint": recipe.fingerprint,
        "made_by": computed_by(simulator),
    }


def write_remote_members(block: int, *, store_url: str, document: str, fingerprint: str, made_by: str) -> None:
    """Compute a block of a library in one thread and write it; one that is written already is left alone.

    Parameters
    ----------
    block
        Its number.
    store_url
        Root of the store. Credentials come from the environment of this process.
    document
        The parameters, JSON.
    fingerprint, made_by
        What this process must agree with: the fingerprint of the library, and the versions it was begun with.

    Raises
    ------
    InputError
        If this process would compute other bytes, or the library would not fit into memory.
    StoreError
        If the store fails; ``StoreAccessError`` if there are no credentials here.
    """
    from difsims_core.dataset.libraries.records import read_receipt
    from difsims_core.dataset.libraries.write import write_block

    with said_by_this_worker():
        with _preparing:
            store, recipe, plan, targets = _prepared(store_url, document, fingerprint, made_by)
        if read_receipt(store, plan, block) is None:
            write_block(store, recipe, plan, targets, block)


@lru_cache(maxsize=4)
def _prepared(
    store_url: str, document: str, fingerprint: str, made_by: str
) -> tuple[ObjectStore, LibraryRecipe, LibraryPlan, Mapping[str, zarr.Array]]:
    """Return what all blocks of a library need, made once a process."""
    from difsims_core.config.documents import make_spec
    from difsims_core.dataset.build import prepare
    from difsims_core.dataset.libraries.records import LibraryPlan
    from difsims_core.dataset.libraries.write import block_targets
    from difsims_core.storage import layout
    from difsims_core.storage.objects import open_store
    from difsims_core.storage.zarr.arrays import read_group

    store, key = open_store(store_url), layout.library(fingerprint)
    plan = LibraryPlan.from_document(read_group(store, key).attributes, store.url(key))
    simulator = prepare(store_url, make_spec(json.loads(document), source=f"parameters of the library of {plan.phase}"))
    engine = simulator.tables.library
    found = {} if engine is None else {recipe.fingerprint: recipe for recipe in engine.recipes}
    if fingerprint not in found or plan.fingerprint != fingerprint:
        raise InputError(
            f"expected a worker that computes the bytes of the library of {plan.phase}, begun by {made_by}; found "
            f"{computed_by(simulator)}, whose fingerprint is another. Install the same version of difsims with the "
            "same crystal files on all workers, and restart them"
        )
    return store, found[fingerprint], plan, block_targets(store, plan)
