"""Datasets and models that plugins had a part in: what they say of themselves, and what they are without them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from difsims_core.config.documents import make_spec
from difsims_core.config.learning import TrainingSpec
from difsims_core.dataset.build import find
from difsims_core.dataset.open import open_simulation
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.dataset.verify import verify
from difsims_core.learn.bundle import load_bundle
from difsims_core.learn.train import run_training
from difsims_core.simulation import simulator
from difsims_core.storage.objects import open_store
from tests.plugins.conftest import EXAMPLE, GROUPS
from tests.plugins.packages import install

ROOT = Path(__file__).resolve().parents[2]
SECTIONS = {"drift": {}, "fade": {"scatter": 0.25}, "blur": {}, "gain": {}}
WITHOUT = """
import sys
from difsims_core import open_simulation, simulate
from difsims_core.dataset.verify import verify
from difsims_core.learn.bundle import load_bundle
from difsims_core.storage.objects import open_store
store = open_store(sys.argv[1])
sim = open_simulation(sys.argv[2], store)
print(sim["draws/drift_px"][:].shape, sim.spec.extensions["fade"]["scatter"], verify(store, sim.id).failures)
print(verify(store, sim.id, resimulate=1).failures)
for act in (lambda: simulate(sim.spec, 0, 1), lambda: load_bundle(sys.argv[3], store).classifier):
    try:
        act()
    except ValueError as error:
        print(error)
"""


def document(**extensions: dict) -> dict:
    return {"n_patterns": 120, "phases": ["gratia_2h", "pbi2_2h"], "extensions": extensions}


def test_a_dataset_and_a_model_tell_what_they_were_made_with(example, tmp_path):
    store, spec = open_store(str(tmp_path / "store")), make_spec(document(**SECTIONS))
    sim = open_simulation(run_simulation(store, spec).id, store)
    assert sim.attrs["extensions"] == dict.fromkeys(sorted(SECTIONS), "1")
    assert sim.attrs["versions"]["difsims_example"] == "1.0"
    assert sim.spec == spec
    block = simulator.simulate(spec)
    np.testing.assert_array_equal(sim["1d/x_px"][:], block.x_px)
    np.testing.assert_array_equal(sim["draws/drift_px"][:], block.draws["drift_px"])
    report = verify(store, sim.id, resimulate=1)
    assert (report.failures, report.resimulated) == ((), (0,))
    assert run_simulation(store, spec).id == sim.id
    training = TrainingSpec(network="flat", epochs=1, held_out_fraction=0.5)
    model = run_training(store, [sim.id], training).bundle
    again = load_bundle(model.id, store)
    assert again.training == training
    told = run_without(store.root, sim.id, model.id)
    assert told[0] == "(120,) 0.25 ()"
    assert "imperfection is called 'blur'" in told[1]
    assert "imperfection is called 'blur'" in told[2]
    assert "network is called 'flat'" in told[3]


def run_without(*arguments: str) -> list[str]:
    """Return what a process prints that does not have the package."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_name_version_and_section_are_part_of_the_fingerprint(site, tmp_path, monkeypatch):
    install(site, "difsims_example", EXAMPLE, GROUPS)
    store = open_store(str(tmp_path / "store"))
    documents = [document(), document(blur={}), document(blur={"b_angstrom2": 3.0}), document(gain={})]
    prints = [find(store, make_spec(each))[0] for each in documents]
    assert len(set(prints)) == 4
    assert find(store, make_spec(document(blur={"b_angstrom2": 2})))[0] == prints[1]
    from difsims_example import Blur  # pyright: ignore[reportMissingImports] - installed by this test

    monkeypatch.setattr(Blur, "version", "2")
    assert find(store, make_spec(document(blur={})))[0] not in prints
    made_with = verify_after_a_change(store, monkeypatch, Blur)
    assert "made by engine kinematical" in made_with
    assert "blur 1" in made_with
    assert "blur 2" in made_with


def verify_after_a_change(store, monkeypatch: pytest.MonkeyPatch, member: type) -> str:
    """Return why a dataset cannot be simulated again whose imperfection has another version."""
    monkeypatch.setattr(member, "version", "1")
    name = run_simulation(store, make_spec(document(blur={}))).id
    monkeypatch.setattr(member, "version", "2")
    (failure,) = verify(store, name, resimulate=1).failures
    return failure
