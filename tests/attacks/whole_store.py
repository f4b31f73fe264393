"""A small store with one of everything, made as users make it: datasets, models, scans, predictions, scores, records.

``python -m tests.attacks.whole_store FOLDER`` makes one in a process of its own, so that TensorFlow stays there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from difsims_core.config.learning import TrainingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore, open_store

ROOT = Path(__file__).resolve().parents[2]
SCANS = ("one", "two")
SPECS = tuple(SimulationSpec(n_patterns=600, seed=seed) for seed in (1, 2))
TRAINING = TrainingSpec(epochs=1, seed=1)
_CONTENTS = "contents.json"  # beside the store


@dataclass(frozen=True)
class WholeStore:
    """Where a store lies and what it holds; the second item of each kind is the one that is never attacked.

    Attributes
    ----------
    folder : str
        That holds the store and nothing else of interest.
    datasets, models : tuple of str
        Ids.
    fingerprints, training_fingerprints : tuple of str
        Theirs.
    """

    folder: str
    datasets: tuple[str, ...]
    models: tuple[str, ...]
    fingerprints: tuple[str, ...]
    training_fingerprints: tuple[str, ...]

    @property
    def store(self) -> ObjectStore:
        return open_store(Path(self.folder) / "store")

    @property
    def champion(self) -> str:
        return self.models[0]


def make_in(folder: Path) -> WholeStore:
    """Return the store in a folder; one that is not there yet is made by a process of its own."""
    if not (folder / _CONTENTS).exists():
        command = [sys.executable, "-m", "tests.attacks.whole_store", str(folder)]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the store cannot be made:\n{done.stderr[-3000:]}")
    document = json.loads((folder / _CONTENTS).read_text())
    return WholeStore(str(folder), **{name: tuple(ids) for name, ids in document.items()})


def _make(folder: Path) -> None:
    from difsims_core.learn.predict import predict_experiment
    from difsims_core.learn.train import run_training
    from difsims_core.models.registry import promote, read_registry
    from difsims_core.results.evaluate_map import evaluate_map
    from difsims_core.scans.intake import scans_to_predict
    from difsims_core.scans.missing_maps import Inventory
    from difsims_core.scans.reconcile import reconcile
    from tests.fake_datasets import build_fake

    store = open_store(folder / "store")
    sims = [build_fake(store, spec) for spec in SPECS]
    bundles = [run_training(store, [sim.id], TRAINING).bundle for sim in sims]
    put_scans(store, bundles[0].q_axis)
    for bundle in reversed(bundles):
        promote(store, read_registry(store), bundle.id, why="a test", scores={"accuracy": 0.5}, by="hand")
    inventory = Inventory.listed(store, [bundle.id for bundle in bundles])
    for _ in range(2):
        list(reconcile(store, inventory, datetime.now(UTC), tries=3, runs=100))
    for bundle in bundles:
        for url in scans_to_predict(store)[0]:
            result = predict_experiment(store, bundle, url)
            evaluate_map(store, result.url)
    contents = WholeStore(
        str(folder),
        tuple(sim.id for sim in sims),
        tuple(bundle.id for bundle in bundles),
        tuple(sim.fingerprint for sim in sims),
        tuple(bundle.training_fingerprint for bundle in bundles),
    )
    (folder / _CONTENTS).write_text(
        json.dumps({name: ids for name, ids in asdict(contents).items() if name != "folder"})
    )


def put_scans(store: ObjectStore, q_axis: np.ndarray) -> None:
    """Write the scans of a store as files of the contract."""
    from difsims_core.storage.npz.contracts import write_profiles

    for seed, name in enumerate(SCANS):
        profiles = np.random.default_rng(seed).random((3, 2, len(q_axis)), np.float32)
        write_profiles(store.url(layout.experiment_profiles(name)), q_axis, profiles)


if __name__ == "__main__":
    _make(Path(sys.argv[1]))
