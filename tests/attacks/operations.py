"""What is done to a store by a process that is killed or runs out of disk, and what must be true afterwards.

``python -m tests.attacks.operations NAME FOLDER`` says ``ready``, does it, and tells of each step that is done; with a
third argument no file can grow beyond so many bytes. It ends with 0, or with 3 after one of our errors.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.open import open_simulation
from difsims_core.dataset.verify import verify
from difsims_core.errors import DifsimsError, MissingObjectError
from difsims_core.housekeeping.retention import apply_retention, plan_retention
from difsims_core.learn.bundle import load_bundle
from difsims_core.learn.predict import predict_experiment
from difsims_core.models.registry import promote, read_registry
from difsims_core.models.wanted import wanted_models
from difsims_core.results.evaluate_map import evaluate_map
from difsims_core.scans.attempts import read_attempts
from difsims_core.scans.intake import Failure, record_failures
from difsims_core.scans.listing import list_scans
from difsims_core.scans.missing_maps import Inventory
from difsims_core.scans.reconcile import reconcile
from difsims_core.storage import layout
from difsims_core.storage.ids import list_simulations
from difsims_core.storage.npz.contracts import read_prediction
from difsims_core.storage.records import to_record
from tests.attacks.oracles import BrokenPromiseError
from tests.attacks.whole_store import SCANS, WholeStore, make_in
from tests.fake_datasets import build_fake

OUR_ERROR = 3
_PROMOTIONS = 12
_NEW_SCANS = 5


def _tell(step: str) -> None:
    """Say something to whoever watches this process, at once."""
    sys.stdout.write(f"{step}\n")
    sys.stdout.flush()


class Operation(ABC):
    """One kind of work on a store."""

    writes: tuple[str, ...]  # the beginnings of the keys that it may change

    def before(self, whole: WholeStore) -> None:  # noqa: B027 most have nothing to prepare
        """Bring the store into a state in which there is something to do."""

    @abstractmethod
    def work(self, whole: WholeStore) -> Iterator[str]:
        """Do it, as the product does, and yield each step that is done and may not be lost; again, it completes it."""

    @abstractmethod
    def check(self, whole: WholeStore, told: list[str]) -> None:
        """Refuse what may not be seen at any moment, after these steps were told to be done."""

    def check_done(self, whole: WholeStore) -> None:
        """Refuse what may not be seen after it was done again."""
        self.check(whole, [])


class Simulate(Operation):
    """A new dataset is written."""

    writes = (layout.SIMULATIONS,)
    spec = SimulationSpec(n_patterns=3000, seed=9)

    def work(self, whole: WholeStore) -> Iterator[str]:
        yield build_fake(whole.store, self.spec).id

    def check(self, whole: WholeStore, told: list[str]) -> None:
        for name in list_simulations(whole.store):
            whole_one = whole.store.exists(layout.completion(name))
            if whole_one and (failures := verify(whole.store, name).failures):
                raise BrokenPromiseError(f"a dataset is taken for whole and is not: {failures[0]}")
        for name in told:
            open_simulation(name, whole.store)

    def check_done(self, whole: WholeStore) -> None:
        names = set(list_simulations(whole.store)) - set(whole.datasets)
        complete = [name for name in names if whole.store.exists(layout.completion(name))]
        if len(complete) != 1:
            raise BrokenPromiseError(f"expected one new dataset after it was simulated again, found {len(complete)}")
        self.check(whole, complete)


class Predict(Operation):
    """The scans are predicted, by the model's record and a formula in the place of its network."""

    writes = (layout.PREDICTIONS,)

    def before(self, whole: WholeStore) -> None:
        whole.store.delete_tree(layout.predictions(whole.models[0]))

    def work(self, whole: WholeStore) -> Iterator[str]:
        bundle = load_bundle(whole.models[0], whole.store)
        vars(bundle)["model"] = _Formula(len(bundle.phases))
        for scan in SCANS:
            yield predict_experiment(whole.store, bundle, whole.store.url(layout.experiment_profiles(scan))).url

    def check(self, whole: WholeStore, told: list[str]) -> None:
        keys = whole.store.list(layout.predictions(whole.models[0]))
        for url in {*told, *(whole.store.url(key) for key in keys)}:
            read_prediction(url)

    def check_done(self, whole: WholeStore) -> None:
        if len(whole.store.list(layout.predictions(whole.models[0]))) != len(SCANS):
            raise BrokenPromiseError("a scan is without its prediction after predicting again")
        self.check(whole, [])


class _Formula:
    """Probabilities without a network."""

    def __init__(self, n_phases: int) -> None:
        self.output_shape = (None, n_phases)

    def __call__(self, profiles: np.ndarray, training: bool) -> np.ndarray:  # noqa: ARG002
        return np.full((len(profiles), self.output_shape[1]), 1 / self.output_shape[1], np.float32)


class Evaluate(Operation):
    """The predictions are scored."""

    writes = (layout.EVALUATIONS,)

    def before(self, whole: WholeStore) -> None:
        whole.store.delete_tree(layout.evaluations(whole.models[0]))

    def work(self, whole: WholeStore) -> Iterator[str]:
        for key in whole.store.list(layout.predictions(whole.models[0])):
            yield evaluate_map(whole.store, whole.store.url(key)).scores.url

    def check(self, whole: WholeStore, told: list[str]) -> None:
        for url in told:
            json.loads(whole.store.read(whole.store.key_of(url)))
        for key in whole.store.list(layout.evaluations(whole.models[0])):
            json.loads(whole.store.read(key))

    def check_done(self, whole: WholeStore) -> None:
        if len(whole.store.list(layout.evaluations(whole.models[0]))) != len(SCANS):
            raise BrokenPromiseError("a prediction is without its scores after scoring again")
        self.check(whole, [])


class Promote(Operation):
    """Two models become champion in turn."""

    writes = (layout.model_registry(),)

    def work(self, whole: WholeStore) -> Iterator[str]:
        for _ in range(_PROMOTIONS):
            registry = read_registry(whole.store)
            present = None if registry.champion is None else registry.champion.model
            model = next(name for name in whole.models if name != present)
            promote(whole.store, registry, model, why="a test", scores={}, by="hand")
            yield model

    def check(self, whole: WholeStore, told: list[str]) -> None:
        registry = read_registry(whole.store)
        if registry.champion is None or registry.champion.model not in whole.models:
            raise BrokenPromiseError("there is no champion any more")
        line = [registry.champion.model, *(item.model for item in registry.former)][::-1]
        if line[: len(told) + 2] != [*reversed(whole.models), *told]:
            raise BrokenPromiseError(f"of {len(told)} promotions that were told to be done some are lost: {len(line)}")


class Intake(Operation):
    """New scans come in, their runs are started, and some of them fail."""

    writes = (layout.INTAKE, layout.PROFILES)

    def before(self, whole: WholeStore) -> None:
        data = whole.store.read(layout.experiment_profiles(SCANS[0]))
        for number in range(_NEW_SCANS):
            whole.store.write(layout.experiment_profiles(f"new{number}"), data)

    def work(self, whole: WholeStore) -> Iterator[str]:
        inventory = Inventory.listed(whole.store, wanted_models(whole.store))
        for request in reconcile(whole.store, inventory, datetime.now(UTC), tries=3, runs=100):
            for scan in request.scans:
                yield f"{scan.key} {request.model}"
        failures = [Failure(scan, "a test") for scan in list_scans(whole.store)[:3]]
        record_failures(whole.store, whole.champion, failures)

    def check(self, whole: WholeStore, told: list[str]) -> None:
        attempts = read_attempts(whole.store)
        lost = [step for step in told if tuple(step.split()) not in attempts]
        if lost:
            raise BrokenPromiseError(f"{lost[0]} was started, and the record of the intake does not know it")

    def check_done(self, whole: WholeStore) -> None:
        attempts = read_attempts(whole.store)
        unknown = [key for key, model in attempts if model not in (None, *whole.models) or "new" not in key]
        known = {layout.experiment_profiles(f"new{number}") for number in range(_NEW_SCANS)}
        if known - {key for key, _ in attempts}:
            raise BrokenPromiseError(f"of {len(known)} new scans some were never tried; known besides: {unknown}")


class Retain(Operation):
    """A former champion of long ago goes, with everything that belongs to it."""

    def __init__(self) -> None:
        self.writes = (layout.MODELS, layout.PREDICTIONS, layout.EVALUATIONS, layout.REPORTS, "cache")

    def before(self, whole: WholeStore) -> None:
        store, model = whole.store, whole.models[1]
        document = json.loads(store.read(layout.model_record(model)))
        document = {name: value for name, value in document.items() if name != "sha256"}
        store.write(layout.model_record(model), to_record(document | {"created": "2020-01-01T00:00:00+00:00"}))
        for key in (key for key in store.list() if model in key):
            os.utime(Path(whole.folder) / "store" / key, (1.6e9, 1.6e9))

    def work(self, whole: WholeStore) -> Iterator[str]:
        plan = plan_retention(whole.store, now=datetime.now(UTC), keep_days=30, keep_former=0)
        for decision in apply_retention(whole.store, plan):
            yield decision.id

    def check(self, whole: WholeStore, told: list[str]) -> None:  # noqa: ARG002 the interface
        registry = read_registry(whole.store)
        if registry.champion is None or registry.champion.model != whole.champion:
            raise BrokenPromiseError("retention changed the champion")
        try:
            load_bundle(whole.models[1], whole.store)
        except MissingObjectError:
            return
        gone = [key for key in (layout.predictions(whole.models[1]),) if not whole.store.list(key)]
        if gone:
            raise BrokenPromiseError(f"a model still looks whole, and {gone[0]} is gone")

    def check_done(self, whole: WholeStore) -> None:
        left = [key for key in whole.store.list() if whole.models[1] in key]
        if left:
            raise BrokenPromiseError(f"of a model that went {left[0]} is left")
        self.check(whole, [])


OPERATIONS: dict[str, Operation] = {
    "simulate": Simulate(), "predict": Predict(), "evaluate": Evaluate(), "promote": Promote(), "intake": Intake(),
    "retention": Retain(),
}  # fmt: skip


def _main(name: str, folder: str, most_bytes: Any = None) -> int:
    whole = make_in(Path(folder))
    operation = OPERATIONS[name]
    _tell("ready")
    if most_bytes is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(most_bytes), int(most_bytes)))
    try:
        for step in operation.work(whole):
            _tell(step)
    except DifsimsError as error:
        sys.stderr.write(f"{error}\n")
        return OUR_ERROR
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
