"""Pipelines whose classifiers read polar patterns: which scans each maps, and what the report shows of several."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from difsims_core.config.documents import load_spec, make_spec
from difsims_core.config.pipeline import PipelineSpec
from difsims_core.config.retraining import RetrainingSpec
from difsims_core.errors import InputError
from difsims_core.families import CLASSIFIERS
from difsims_core.learn.bundle import load_bundle
from difsims_core.models.retraining_plan import plan_retraining
from difsims_core.resources import samples_folder
from difsims_core.storage.npz.contracts import predicted_name, read_prediction, read_profiles, write_profiles
from difsims_core.storage.objects import open_store, read_url
from flows.cli.demo import demo_spec
from flows.pipeline import PipelineResult, pipeline
from flows.retrain import retrain
from tests.learn.nearest_mean import NearestMean

SIMULATION = {"n_patterns": 900, "seed": 6, "phases": ["gratia_2h", "pb"], "output": {"x_all": False, "polar": {}}}
POLAR = {"network": "polar_harmonics", "epochs": 1}


def write_raw(path: Path, ny: int = 4, nx: int = 3) -> Path:
    """Write frames with a direct beam and a spot each, on the detector of a small camera."""
    frames = np.random.default_rng(4).poisson(3.0, (ny, nx, 64, 64)).astype(np.uint16)
    frames[:, :, 30:35, 31:36] += 1000
    for iy, ix in np.ndindex(ny, nx):
        frames[iy, ix, 40 + iy, 40 + ix] += 400
    np.save(path, frames)
    return path


def document(folder: Path, **changes: object) -> PipelineSpec:
    preprocessing = {
        "reading": {"calibration_per_angstrom": 0.05},
        "geometry": {"ellipse": [0, 0]},
        "integration": {"uncovered": "flag"},
    }
    plain = {
        "simulation": SIMULATION,
        "training": POLAR,
        "raw_scans": [str(folder / "film.npy")],
        "preprocessing": preprocessing,
    }
    return make_spec(plain | changes, PipelineSpec)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("polar-pipeline")
    write_raw(folder / "film.npy")
    profiles = read_profiles(samples_folder() / "roi_2_radial_crop.npz")
    write_profiles(folder / "roi_2_radial_crop.npz", profiles.x, profiles.y[:3, :4])
    return folder


@pytest.fixture(scope="module")
def outcome(folder: Path) -> PipelineResult:
    spec = document(
        folder, also=[{"network": "large_filter", "epochs": 1}], experiments=[str(folder / "roi_2_radial_crop.npz")]
    )
    return pipeline(spec, (folder / "store").as_uri())


def test_each_classifier_maps_the_scans_that_it_can_read(outcome, folder):
    store = open_store(folder / "store")
    polar, profiles = (load_bundle(name, store) for name in (outcome.model, *outcome.also))
    assert (polar.training.label, profiles.training.label) == ("polar_harmonics", "large_filter")
    assert polar.sim_ids == profiles.sim_ids == (outcome.simulation,)
    mapped = [(predicted_name(url), read_prediction(url).cnn_id) for url in outcome.predictions]
    assert mapped == [
        ("roi_2_radial_crop", profiles.id), ("film_radial_crop", polar.id), ("film_radial_crop", profiles.id),
    ]  # fmt: skip
    assert [(item.name, item.model) for item in outcome.scores] == mapped


def test_the_report_shows_maps_of_one_scan_side_by_side(outcome):
    page = read_url(outcome.report).decode()
    assert "film_radial_crop, side by side" in page
    assert "roi_2_radial_crop, side by side" not in page
    assert "film_radial_crop, polar_harmonics (polar patterns)" in page
    assert "film_radial_crop, large_filter (radial profiles)" in page
    assert all(name in page for name in (outcome.model, *outcome.also))


def test_scans_that_no_classifier_reads_are_refused_before_any_work(folder, tmp_path):
    profiles = [str(folder / "roi_2_radial_crop.npz")]
    for changes, words in [
        ({"raw_scans": [], "experiments": profiles}, r"none of the scans has any.*also"),
        ({"preprocessing": {"integration": {"polar": False}}}, r"none of the scans has any.*also"),
        ({"simulation": SIMULATION | {"output": {}}}, r"polar/x, which the simulation does not make.*output\.polar"),
    ]:
        with pytest.raises(InputError, match=words):
            pipeline(document(folder, **changes), tmp_path.as_uri())
    assert not any(tmp_path.iterdir())


def test_a_pipeline_of_fresh_patterns_makes_no_dataset(folder):
    streamed = {**POLAR, "source": "stream"}
    found = pipeline(document(folder, training=streamed), (folder / "streamed").as_uri())
    store = open_store(folder / "streamed")
    assert found.simulation is None
    assert load_bundle(found.model, store).simulation is not None
    assert not list(store.list("simulations"))
    assert [predicted_name(url) for url in found.predictions] == ["film_radial_crop"]
    assert "900 fresh patterns an epoch" in read_url(found.report).decode()


def test_the_classifiers_of_the_demo_train_on_a_few_fresh_patterns():
    for epochs in (1, 4):
        spec = demo_spec(600, epochs)
        assert [training.source for training in spec.trainings] == ["stream", "stream"]
        assert [training.most_epochs for training in spec.trainings] == [epochs, 2 * epochs]
        assert spec.simulation.n_patterns == 600


def test_the_recipe_trains_on_what_it_simulates():
    spec = load_spec("polar.yaml", PipelineSpec)
    assert spec.training.takes_polar
    assert spec.simulation.output.polar is not None
    assert spec.raw_scans == spec.experiments == ()


def test_a_retraining_on_fresh_patterns_needs_no_dataset(tmp_path, monkeypatch):
    monkeypatch.setitem(CLASSIFIERS.loaded, "nearest_mean", NearestMean)
    training = {"kind": "nearest_mean", "takes": "reduced", "source": "stream"}
    document = {"training": training, "rule": {"above_chance_fraction": 0}}
    spec = make_spec({"simulation": SIMULATION} | document, RetrainingSpec)
    assert plan_retraining(open_store(tmp_path), spec).trains
    first = retrain(spec, tmp_path.as_uri())
    store = open_store(tmp_path)
    assert not store.list("simulations")
    assert first["promoted"], first["why"]
    again = retrain(spec, tmp_path.as_uri())
    assert (again["model"], again["promoted"]) == (first["model"], False)
    assert not plan_retraining(store, spec).trains
    other = make_spec({"simulation": SIMULATION | {"seed": 7}} | document, RetrainingSpec)
    challenger = retrain(other, tmp_path.as_uri())
    assert challenger["model"] != first["model"]
    assert challenger["champion"] == first["model"], challenger["why"]
    with pytest.raises(InputError, match="give simulation"):
        make_spec({"training": training}, RetrainingSpec)
