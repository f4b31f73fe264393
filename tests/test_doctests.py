"""Every name of the public face has an example in its docstring, and it does what it says."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import difsims_core
from difsims_core.config.learning import TrainingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.storage.npz.contracts import Prediction, write_prediction
from difsims_core.storage.objects import ObjectStore, open_store

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "deployments" / "samples" / "roi_1_radial_crop.npz"
TRUTH = ROOT / "deployments" / "samples" / "truth" / "roi_1_truth.npz"
GIVEN = ("simulation", "model", "prediction", "folder")  # what is there for examples: ids, a map's file, a place
TRAINED = ("load_bundle", "predict_profiles")  # these need a model, and so TensorFlow
NAMES = [
    pytest.param(name, marks=pytest.mark.slow if name in TRAINED else ())
    for name in difsims_core.__all__
    if name != "__version__"
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ObjectStore:
    return open_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def simulation(store: ObjectStore) -> str:
    return run_simulation(store, SimulationSpec(n_patterns=8, phases=["pb", "gratia_2h"])).id


@pytest.fixture(scope="module")
def model(store: ObjectStore) -> str:
    from difsims_core.learn.train import run_training

    larger = run_simulation(store, SimulationSpec(n_patterns=64, phases=["pb", "gratia_2h"])).id
    return run_training(store, [larger], TrainingSpec(epochs=1)).bundle.id


@pytest.fixture(scope="module")
def prediction(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The truth of a sample as a map that is sure of itself."""
    with np.load(TRUTH) as truth:
        labels, phases = np.maximum(truth["label"], 0), tuple(map(str, truth["phases"]))
    place = tmp_path_factory.mktemp("predictions") / "roi_1_radial_crop_probability_pred.npz"
    pred = np.eye(len(phases), dtype=np.float32)[labels]
    write_prediction(str(place), Prediction(pred, phases, "cnn-00000000-0000-4000-8000-000000000000"))
    return str(place)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_the_example_does_what_it_says(name, request, monkeypatch, store):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("DIFSIMS_STORE", store.root)
    thing = getattr(difsims_core, name)
    text = thing.__doc__ or ""
    known: dict[str, Any] = {name: thing}
    known |= {given: request.getfixturevalue(given) for given in GIVEN if re.search(rf">>> .*[(\[{{]{given}\b", text)}
    example = doctest.DocTestParser().get_doctest(text, known, name, None, 0)
    assert example.examples, f"{name} has no example in its docstring"
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=report.append)
    assert not report, "".join(report)
