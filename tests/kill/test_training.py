"""A training ended by SIGKILL, again and again: every restart goes on, and the weights are the same, byte for byte."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from difsims_core.config.learning import TrainingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.learn.bundle import load_bundle
from difsims_core.learn.data.training_data import training_fingerprint
from difsims_core.learn.train import run_training
from difsims_core.storage import layout
from difsims_core.storage.ids import list_models
from difsims_core.storage.objects import open_store
from tests.effort import either
from tests.fake_datasets import build_fake

pytestmark = [pytest.mark.slow, pytest.mark.kill]

ROOT = Path(__file__).resolve().parents[2]
KILLS = either(2, 6)
SPEC = TrainingSpec(epochs=8, schedule="cosine", warmup_epochs=1, patience=8, seed=2)
SECONDS = 180


def start(store: str, simulation: str, log: Path) -> subprocess.Popen[bytes]:
    changes = [f"--set={key}={value}" for key, value in SPEC.to_document().items() if key in SPEC.model_fields_set]
    command = [sys.executable, "-m", "flows.cli.app", "train", simulation, *changes, "--store", store]
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    with log.open("wb") as file:
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=file, stderr=file, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip


def test_every_restart_goes_on(tmp_path):
    seed = random.randrange(2**32)  # noqa: S311
    print("moments drawn with seed", seed)  # noqa: T201 - pytest shows it when the test fails
    moments, log = random.Random(seed), tmp_path / "log"  # noqa: S311
    store = open_store(tmp_path / "store")
    document = {
        "n_patterns": either(9000, 30_000),
        "phases": ["pbi2_2h", "gratia_2h", "pb"],
        "output": {"x_all": False},
    }
    simulation = build_fake(store, SimulationSpec.model_validate(document))
    state = layout.training_state(training_fingerprint(SPEC, [simulation.fingerprint]), "network")
    done = 0
    for kills in range(KILLS):
        process = start(store.root, simulation.id, log)
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            if store.exists(state) and store.read_record(state)["epoch"] > done:
                time.sleep(moments.uniform(0, 0.3))
                break
            time.sleep(0.01)
        if process.poll() is not None:
            pytest.fail(f"after {kills} kills: {log.read_text()}")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        done = store.read_record(state)["epoch"]
        assert list_models(store) == []
    process = start(store.root, simulation.id, log)
    assert process.wait(SECONDS) == 0, log.read_text()
    (model,) = list_models(store)
    assert store.list(layout.TRAINING_STATES) == []

    undisturbed = open_store(tmp_path / "undisturbed")
    for key in store.list(layout.SIMULATIONS):
        undisturbed.write(key, store.read(key))
    whole, again = run_training(undisturbed, [simulation.id], SPEC).bundle, load_bundle(model, store)
    assert again.read("weights.npz") == whole.read("weights.npz")
    assert again.metrics == whole.metrics
    assert [one["val_loss"] for one in again.history] == [one["val_loss"] for one in whole.history]
