"""A second kind of classifier through every room: trained, stored, loaded, used, compared and promoted."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from difsims_core.config.documents import make_spec
from difsims_core.config.learning import TrainingSpec
from difsims_core.config.pipeline import PipelineSpec
from difsims_core.config.promotion import PromotionSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.errors import ExperimentError, InputError, ModelError, SpecError
from difsims_core.families import CLASSIFIERS
from difsims_core.learn.bundle import load_bundle
from difsims_core.learn.predict import predict_experiment, predict_profiles
from difsims_core.learn.train import find_trained, run_training
from difsims_core.learn.verify import verify_model
from difsims_core.models.compare import compare, why_incomparable
from difsims_core.models.promotion_rule import decide, decide_first
from difsims_core.models.registry import promote_by_hand, resolve_model
from difsims_core.storage.npz.contracts import read_prediction, write_profiles
from difsims_core.storage.objects import open_store
from tests.fake_datasets import build_fake
from tests.learn.nearest_mean import NearestMean, NearestMeanSpec
from tests.plugins.packages import install

N = 600
POLAR = NearestMeanSpec(takes="polar")


@pytest.fixture(autouse=True)
def offered(monkeypatch):
    monkeypatch.setitem(CLASSIFIERS.loaded, "nearest_mean", NearestMean)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return open_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def simulation(store):
    """Patterns of formulas; those of a class differ as much as those of others, but for a few."""
    spec = {
        "n_patterns": N,
        "seed": 3,
        "phases": ["pbi2_2h", "gratia_2h", "pb"],
        "output": {"polar_px": True, "polar": {}},
    }
    return build_fake(store, SimulationSpec.model_validate(spec))


def test_its_document_is_one_of_the_kinds():
    for document in (
        make_spec({"kind": "nearest_mean", "takes": "polar"}, TrainingSpec),
        make_spec({"training": {"kind": "nearest_mean", "takes": "polar"}}, PipelineSpec).training,
    ):
        assert document == POLAR
    whole = make_spec({"training": {"kind": "nearest_mean", "sharpness": 2}}, PipelineSpec)
    assert make_spec(whole.to_document(), PipelineSpec) == whole
    assert whole.to_document()["training"]["sharpness"] == 2
    assert isinstance(make_spec({"training": {"network": "large_filter"}}, PipelineSpec).training, TrainingSpec)
    assert "sharpness" in str(TrainingSpec.model_json_schema())


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"kind": "nearest_meen"}, "'nearest_meen'.*'nearest_mean'"),
        ({"kind": 7}, "kind"),
        ({"kind": "nearest_mean", "epochs": 3}, "training.*'epochs'"),
        ({"kind": "nearest_mean", "sharpness": []}, r"training\.sharpness"),
        ({"kind": "keras_network", "takes": "polar"}, "'takes'"),
    ],
)
def test_what_is_no_document_of_its_kind_is_refused(document, words):
    with pytest.raises(SpecError, match=words):
        make_spec({"training": document}, PipelineSpec)


@pytest.mark.parametrize("takes", ["profile", "polar", "reduced"])
def test_it_is_trained_stored_loaded_and_used(store, simulation, takes):
    spec = NearestMeanSpec(takes=takes)
    result = run_training(store, [simulation.id], spec)
    assert not result.reused
    assert run_training(store, [simulation.id], spec).reused
    assert find_trained(store, [simulation.id], spec).id == result.bundle.id
    bundle = load_bundle(result.bundle.id, store)
    assert bundle.training == spec
    assert bundle.input_shape == {"profile": (147,), "polar": (147, 360), "reduced": (74, 72)}[takes]
    assert bundle.history == ()
    assert set(bundle.objects) == {"weights.npz"}
    assert verify_model(store, bundle.id).ok
    array = np.asarray(simulation[bundle.input.array][:])
    kept = NearestMean(bundle.classifier.means, 5.0).predict(array[:9])
    np.testing.assert_array_equal(bundle.classifier.predict(array[:9]), kept)
    scale = array.max(axis=tuple(range(1, array.ndim)), keepdims=True)
    found = predict_profiles(bundle, array[:9].reshape(3, 3, *array.shape[1:]) / scale[:9].mean(), bundle.q_axis)
    assert found.shape == (3, 3, 3)
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-6)


def test_polar_patterns_are_scaled_as_a_whole_and_brought_to_the_axis(store, simulation):
    bundle = run_training(store, [simulation.id], POLAR).bundle
    q = simulation.q_px
    pattern = np.exp(-(((q[:, None] - 0.7) / 0.2) ** 2)) * np.linspace(1, 2, 360)
    wide = np.linspace(0, q[-1] + 0.1, 600)
    measured = 40 + 900 * np.exp(-(((wide[:, None] - 0.7) / 0.2) ** 2)) * np.linspace(1, 2, 360)
    direct = bundle.classifier.predict(((pattern - pattern.min()) / np.ptp(pattern))[None].astype(np.float32))
    np.testing.assert_allclose(predict_profiles(bundle, measured, wide), direct[0], atol=2e-3)
    broken = measured.copy()
    broken[300, 7] = np.nan
    np.testing.assert_array_equal(predict_profiles(bundle, np.stack([broken, measured]), wide)[0], np.float32(1 / 3))
    for y, found in ((measured[:, :90], r"\(360,\) .*\(90,\)"), (measured[:, 0], r" 360\), .*\(600,\)")):
        with pytest.raises(ExperimentError, match=found):
            predict_profiles(bundle, y, wide)


def test_a_file_of_profiles_is_for_a_model_that_takes_profiles(store, simulation, tmp_path):
    scan = np.asarray(simulation["1d/x_px"][:6]).reshape(2, 3, 147)
    write_profiles(tmp_path / "scan_radial_crop.npz", simulation.q_px, scan)
    profile, polar = (run_training(store, [simulation.id], spec).bundle for spec in (NearestMeanSpec(), POLAR))
    result = predict_experiment(store, profile, tmp_path / "scan_radial_crop.npz")
    assert read_prediction(result.url).pred.shape == (2, 3, 3)
    with pytest.raises(ExperimentError, match=str(polar.input)):
        predict_experiment(store, polar, tmp_path / "scan_radial_crop.npz")


def test_a_dataset_without_its_patterns_is_refused(store):
    bare = build_fake(store, SimulationSpec.model_validate({"n_patterns": 300, "phases": ["pb", "pbi2_2h"]}))
    with pytest.raises(InputError, match=rf"{bare.id}.* 2d/x_px.*output\.polar_px"):
        run_training(store, [bare.id], POLAR)
    with pytest.raises(InputError, match=rf"{bare.id}.* polar/x.*output\.polar,"):
        run_training(store, [bare.id], NearestMeanSpec(takes="reduced"))


def test_models_are_compared_and_promoted_by_what_they_declare(store, simulation):
    first, second, polar = (
        run_training(store, [simulation.id], spec).bundle
        for spec in (NearestMeanSpec(), NearestMeanSpec(sharpness=9), POLAR)
    )
    same = compare(store, second, first)
    assert not same.refused
    assert same.held_out.n == first.split["n_test"]
    np.testing.assert_array_equal(same.held_out.counts[:, 1, 0] + same.held_out.counts[:, 0, 1], 0)
    assert not decide(PromotionSpec(), same).promote, "it is not better"
    assert compare(store, polar, polar).held_out.n == polar.split["n_test"]
    assert not why_incomparable(polar, first), "the dataset holds patterns for both"
    both = compare(store, polar, first)
    assert both.held_out.n == polar.split["n_test"]
    right = both.held_out.counts
    np.testing.assert_array_equal(right.sum(axis=(1, 2)), same.held_out.counts.sum(axis=(1, 2)))
    assert right[:, :, 1].sum() == same.held_out.counts[:, :, 1].sum(), "the champion's answers are those on profiles"
    bare = build_fake(store, SimulationSpec.model_validate({"n_patterns": 600, "output": {"polar_px": True}}))
    other = replace(first, q_axis=first.q_axis + 0.01)
    assert "polar patterns of shape (147, 360)" in compare(store, polar, other, simulations=[bare.id]).refused
    assert decide_first(PromotionSpec(), first.metrics).why
    promote_by_hand(store, polar.id, why="polar patterns tell more")
    assert resolve_model(store, "champion") == polar.id


def test_a_model_of_a_kind_that_is_not_installed_says_so(store, simulation, monkeypatch):
    bundle = run_training(store, [simulation.id], NearestMeanSpec()).bundle
    monkeypatch.delitem(CLASSIFIERS.loaded, "nearest_mean")
    with pytest.raises(ModelError, match="'nearest_mean'"):
        load_bundle(bundle.id, store)
    monkeypatch.setitem(CLASSIFIERS.loaded, "nearest_mean", NearestMean)


def test_a_package_brings_one_and_no_tensorflow_is_loaded(store, simulation, tmp_path):
    """Found by its entry point, trained, stored, loaded and used in a process of its own."""
    code = "from tests.learn.nearest_mean import NearestMean"
    install(tmp_path, "near", code, {"difsims.classifiers": {"nearest_mean": "near:NearestMean"}})
    script = f"""
import sys
from difsims_core.config.documents import make_spec
from difsims_core.config.learning import TrainingSpec
from difsims_core.dataset.open import open_simulation
from difsims_core.learn.bundle import load_bundle
from difsims_core.learn.predict import predict_profiles
from difsims_core.learn.train import run_training
from difsims_core.storage.objects import open_store
store = open_store({store.root!r})
spec = make_spec({{"kind": "nearest_mean", "seed": 7}}, TrainingSpec)
model = run_training(store, [{simulation.id!r}], spec).bundle.id
sim, bundle = open_simulation({simulation.id!r}, store), load_bundle(model, store)
assert predict_profiles(bundle, sim["1d/x_px"][:5], sim.q_px).shape == (5, 3)
assert bundle.versions["plugins"] == "near 1.0"
print(sorted({{"tensorflow", "keras"}} & sys.modules.keys()))
"""
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    found = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert found.stdout.strip() == "[]"
