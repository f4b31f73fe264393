"""What is done with an object of a store in earnest, by those who read it; and that everything else goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Self
from unittest.mock import patch

import numpy as np

from difsims_core.dataset.build import begin, read_plan, write_block
from difsims_core.dataset.open import open_simulation
from difsims_core.errors import DifsimsError, StoreError
from difsims_core.housekeeping.lineage import read_lineage
from difsims_core.housekeeping.retention import plan_retention
from difsims_core.learn.bundle import load_bundle
from difsims_core.learn.train import find_trained
from difsims_core.models.registry import promote, read_registry
from difsims_core.models.wanted import wanted_models
from difsims_core.results.scores import score_prediction
from difsims_core.scans import reconcile
from difsims_core.scans.attempts import read_attempts
from difsims_core.scans.missing_maps import Inventory
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import read_prediction, read_profiles
from tests.attacks.oracles import BrokenPromiseError
from tests.attacks.whole_store import SCANS, SPECS, TRAINING, WholeStore
from tests.doubles import fake


def use(whole: WholeStore, key: str) -> Any:
    """Read an object as the product does, and what it says; what was read is written again where that is done."""
    return next(work for beginning, work in _USES.items() if key.startswith(beginning))(whole, key)


def _use_prediction(whole: WholeStore, key: str) -> Any:
    return read_prediction(whole.store.url(key))


def _use_evaluation(whole: WholeStore, key: str) -> Any:
    _, model, name = key.split("/")
    return score_prediction(whole.store.root, whole.store.url(layout.prediction(model, name.removesuffix(".json"))))


def _use_dataset_index(whole: WholeStore, _key: str) -> Any:
    return begin(whole.store, SPECS[0], simulator=fake(SPECS[0]))


def _use_model_index(whole: WholeStore, _key: str) -> Any:
    return find_trained(whole.store, [whole.datasets[0]], TRAINING)


def _use_registry(whole: WholeStore, _key: str) -> None:
    """Whoever can read the registry can promote: what is read survives writing."""
    store = whole.store
    registry = read_registry(store)
    present = None if registry.champion is None else registry.champion.model
    model = next(name for name in whole.models if name != present)
    promote(store, registry, model, why="an attack", scores={}, by="hand")
    if read_registry(store).champion.model != model:  # type: ignore[union-attr]
        raise BrokenPromiseError("a promotion that was told to have happened is not in the registry")


class _InThisProcess:
    """Reads scans in the place of a process of its own, which would be an event; the record is what is attacked."""

    def __init__(self, _limits: object) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def start(self) -> None: ...

    def problem(self, url: str) -> str | None:
        try:
            read_profiles(url)
        except DifsimsError as error:
            return str(error)
        return None


def _use_intake(whole: WholeStore, _key: str) -> None:
    read_attempts(whole.store)
    inventory = Inventory.listed(whole.store, wanted_models(whole.store))
    if set(inventory.scans) != set(map(layout.experiment_profiles, SCANS)):
        raise BrokenPromiseError("a round of the intake lost a scan, or invented one")
    with patch.object(reconcile, "ScanReader", _InThisProcess):
        list(reconcile.reconcile(whole.store, inventory, datetime.now(UTC), tries=3, runs=100))
    if {key for key, _ in read_attempts(whole.store)} - set(inventory.scans):
        raise BrokenPromiseError("a round of the intake has tried a scan that is not there")


def _use_dataset(whole: WholeStore, key: str) -> None:
    if key.startswith(layout.receipts(whole.datasets[0])):  # whoever resumes a dataset reads these
        write_block(whole.store, read_plan(whole.store, whole.datasets[0]), fake(SPECS[0]), 0)
        return
    sim = open_simulation(whole.datasets[0], whole.store)
    _ = repr(sim), sim.fingerprint, sim.phases, sim.n_patterns, sim.block_rows, sim.class_counts, sim.spec, sim.q_px
    for path in ("1d/x_px", "1d/y_px", "draws/orientation"):
        try:
            _ = np.asarray(sim[path][:10])
        except DifsimsError:
            raise
        except Exception as error:
            # Rows of a shard fail in whatever way its decoder fails; `verify` names them, and readers go no further.
            if not isinstance(error, ValueError | RuntimeError | OSError | KeyError):
                raise
            raise StoreError("damaged rows") from error


def _use_model(whole: WholeStore, _key: str) -> None:
    bundle = load_bundle(whole.models[0], whole.store)
    _ = repr(bundle), bundle.to_document(), bundle.url, bundle.seed, bundle.recipe


_USES: dict[str, Callable[[WholeStore, str], Any]] = {
    layout.model_registry(): _use_registry,
    layout.INTAKE: _use_intake,
    layout.PREDICTIONS: _use_prediction,
    layout.EVALUATIONS: _use_evaluation,
    layout.SIMULATION_INDEX: _use_dataset_index,
    layout.SIMULATIONS: _use_dataset,
    layout.MODEL_INDEX: _use_model_index,
    layout.MODELS: _use_model,
}  # the first that a key begins with


def others_go_on(whole: WholeStore, key: str) -> None:
    """Ask for everything that the store holds: each item but the one of ``key`` is there and stays.

    Without a registry that can be read nothing may go, and our error says so.
    """
    lineage = read_lineage(whole.store)
    items = {*whole.datasets, *whole.models}
    mine = {item for item in items if item in key}
    lost = items - mine - lineage.items.keys()
    if lost:
        raise BrokenPromiseError(f"with {key} damaged, {', '.join(lost)} is no longer listed")
    try:
        plan = plan_retention(whole.store, now=datetime.now(UTC), keep_days=30, keep_former=1)
    except DifsimsError:
        if key != layout.model_registry():
            raise BrokenPromiseError(f"with {key} damaged, nothing can be planned for all others") from None
        return
    gone = {item.id for item in plan.going}
    if gone:
        raise BrokenPromiseError(f"with {key} damaged, retention lets {', '.join(gone)} go, made a moment ago")
    if items - mine - {item.id for item in plan.kept}:
        raise BrokenPromiseError(f"with {key} damaged, the plan of what is kept lacks others")
