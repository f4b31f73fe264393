"""From stored datasets to a stored model to predictions, on real simulated profiles."""

import os

import numpy as np
import pytest

from difsims_core.config.learning import TrainingSpec
from difsims_core.config.signal import PostprocessingSpec, QCropSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.open import open_simulation
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.errors import InputError, MissingObjectError
from difsims_core.learn.backend import tf
from difsims_core.learn.bundle import load_bundle
from difsims_core.learn.data.split import Part, part_of
from difsims_core.learn.data.training_data import load_training_data
from difsims_core.learn.predict import predict_experiment, predict_profiles
from difsims_core.learn.train import find_trained, run_training
from difsims_core.learn.wanted import request_evaluation
from difsims_core.resources import samples_folder
from difsims_core.storage.ids import list_models
from difsims_core.storage.npz.contracts import read_prediction
from difsims_core.storage.objects import open_store

SPEC = TrainingSpec(epochs=2, seed=1)


def small(**changes):
    return SimulationSpec.model_validate({"n_patterns": 3000, "output": {"x_all": False}, **changes})


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return open_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def simulation(store):
    return run_simulation(store, small()).id


@pytest.fixture(scope="module")
def trained(store, simulation):
    seen = []
    bundle = run_training(store, [simulation], SPEC, seen.append).bundle
    return bundle, seen


def test_it_learns_and_says_what_from(store, simulation, trained):
    bundle, seen = trained
    assert bundle.phases == ("p4mbm_scaled_mixed_halide", "gratia_2h", "pbi2_2h")
    np.testing.assert_array_equal(bundle.q_axis, open_simulation(simulation, store).q_px)
    assert bundle.sim_ids == (simulation,)
    assert bundle.sim_fingerprints == (open_simulation(simulation, store).fingerprint,)
    assert bundle.classifier.network.count_params() == 164_931
    assert [p.epoch for p in seen] == [1, 2]
    assert bundle.split["n_train"] + bundle.split["n_validation"] + bundle.split["n_test"] == 3000
    assert bundle.metrics["n"] == bundle.split["n_test"]
    assert {"accuracy", "log_loss", "brier_score", "expected_calibration_error", "per_class", "confusion"} <= set(
        bundle.metrics
    )


def test_the_scores_are_those_of_the_test_part_alone(store, simulation, trained):
    bundle, _ = trained
    sim = open_simulation(simulation, store)
    test = part_of(np.arange(3000), SPEC.held_out_fraction, SPEC.seed) == Part.TEST
    predicted = predict_profiles(bundle, sim["1d/x_px"][:][test], sim.q_px).argmax(axis=1)
    accuracy = np.mean(predicted == sim["1d/y_px"][:][test, 0])
    assert bundle.metrics["accuracy"] == pytest.approx(accuracy, abs=1e-9)
    assert accuracy > 0.36  # chance is 0.333


def test_the_learning_curves_lie_beside_the_model(store, trained):
    bundle, seen = trained
    files = [key for key in store.list(f"models/{bundle.id}/tensorboard") if "events" in key]
    assert sorted(key.split("/")[-2] for key in files) == ["train", "validation"]
    curve = {}
    for key in files:
        for record in tf.data.TFRecordDataset(store.url(key).removeprefix("file://")).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                curve[key.split("/")[-2], value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    for progress in seen:
        assert curve["train", "loss", progress.epoch] == pytest.approx(progress.loss)
        assert curve["validation", "accuracy", progress.epoch] == pytest.approx(progress.val_accuracy)


def test_the_same_training_is_done_once(store, simulation, trained):
    bundle, _ = trained
    assert find_trained(store, [simulation], SPEC).id == bundle.id
    seen = []
    assert run_training(store, [simulation, simulation], SPEC, seen.append).bundle.id == bundle.id
    assert seen == []
    assert find_trained(store, [simulation], SPEC.model_copy(update={"seed": 2})) is None
    silent = request_evaluation(store, bundle, wanted=False)
    assert not find_trained(store, [simulation], SPEC.model_copy(update={"evaluate": False})).training.evaluate
    assert find_trained(store, [simulation], SPEC).training.evaluate, "asked for, a silent model maps every scan"
    assert silent.id == bundle.id


def test_a_lost_model_is_trained_again_to_the_same_weights(simulation, store, trained, tmp_path):
    bundle, _ = trained
    copy = open_store(tmp_path / "copy")
    for key in store.list():
        copy.write(key, store.read(key))
    copy.delete(f"models/{bundle.id}/bundle.json")
    again = run_training(copy, [simulation], SPEC).bundle
    assert again.id != bundle.id
    for old, new in zip(bundle.classifier.network.get_weights(), again.classifier.network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert again.metrics == bundle.metrics
    assert find_trained(copy, [simulation], SPEC).id == again.id


def test_a_training_that_is_stopped_leaves_nothing_to_reuse(store, simulation):
    spec, before = SPEC.model_copy(update={"seed": 9}), list_models(store)

    def stop(_progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_training(store, [simulation], spec, stop)
    assert find_trained(store, [simulation], spec) is None
    assert list_models(store) == before


def test_several_datasets_are_trained_on_together(store, simulation):
    other = run_simulation(store, small(seed=11, phases=["pbi2_2h", "gratia_2h", "p4mbm_scaled_mixed_halide"])).id
    sims = [open_simulation(item, store) for item in (simulation, other)]
    data = load_training_data(sims, SPEC)
    assert data.stream.count(Part.TRAIN) == 2 * load_training_data(sims[:1], SPEC).stream.count(Part.TRAIN)
    assert set(data.sim_ids) == {simulation, other}
    for source, name in zip(data.stream.sources, data.sim_ids, strict=True):
        assert [data.phases[c] for c in source.classes] == list(open_simulation(name, store).phases)
    assert load_training_data(sims, SPEC.model_copy(update={"max_patterns": 1000})).stream.count(Part.TRAIN) < 1000


def test_datasets_that_do_not_fit_are_refused(store, simulation):
    first = open_simulation(simulation, store)
    fewer = open_simulation(run_simulation(store, small(n_patterns=50, phases=["gratia_2h", "pbi2_2h"])).id, store)
    rooted = open_simulation(run_simulation(store, small(n_patterns=50, postprocessing={"sqrt": True})).id, store)
    with pytest.raises(InputError, match=fewer.id):
        load_training_data([first, fewer], SPEC)
    with pytest.raises(InputError, match=rooted.id):
        load_training_data([first, rooted], SPEC)
    with pytest.raises(InputError, match=r" 1d/x_q.*postprocessing\.q_crop"):
        load_training_data([first], SPEC.model_copy(update={"profiles": "x_q"}))
    with pytest.raises(InputError, match="`simulate`"):
        load_training_data([], SPEC)
    with pytest.raises(InputError, match=r"\b3 "):
        load_training_data([first], SPEC.model_copy(update={"max_patterns": 3}))
    with pytest.raises(MissingObjectError):
        run_training(store, ["sim-00000000-0000-4000-8000-000000000000"], SPEC)


def test_a_q_crop_is_trained_on_and_predicted(store):
    crop = QCropSpec(q_min_per_angstrom=0.2, q_max_per_angstrom=1.0, n_points=80)
    name = run_simulation(
        store, small(n_patterns=600, postprocessing=PostprocessingSpec(sqrt=True, q_crop=crop).to_document())
    ).id
    bundle = run_training(store, [name], TrainingSpec(epochs=1, profiles="x_q")).bundle
    assert bundle.preprocessing == PostprocessingSpec(sqrt=True, q_crop=crop)
    np.testing.assert_allclose(bundle.q_axis, np.linspace(0.2, 1.0, 80))
    sim = open_simulation(name, store)
    assert predict_profiles(bundle, sim["1d/x_px"][:7], sim.q_px).shape == (7, 3)


def test_a_sample_experiment_is_mapped(store, trained):
    bundle, _ = trained
    experiment = samples_folder() / "roi_1_radial_crop.npz"
    result = predict_experiment(store, bundle, experiment)
    assert (result.name, result.reused, result.n_patterns) == ("roi_1_radial_crop", False, 2000)
    prediction = read_prediction(result.url)
    assert prediction.pred.shape == (40, 50, 3)
    with np.load(experiment, allow_pickle=False) as data:
        np.testing.assert_array_equal(prediction.pred, predict_profiles(bundle, data["y"], data["x"]))
    assert predict_experiment(store, bundle, experiment).reused


@pytest.mark.service
def test_all_of_it_on_s3(s3_store_url):
    store = open_store(s3_store_url)
    simulation = run_simulation(store, small(n_patterns=600)).id
    bundle = run_training(store, [simulation], TrainingSpec(epochs=1)).bundle
    again = load_bundle(f"{s3_store_url}/models/{bundle.id}")
    result = predict_experiment(store, again, samples_folder() / "roi_1_radial_crop.npz")
    assert read_prediction(result.url).pred.shape == (40, 50, 3)
    assert find_trained(store, [simulation], TrainingSpec(epochs=1)).id == bundle.id
    secret = os.environ["AWS_SECRET_ACCESS_KEY"]
    assert all(secret.encode() not in store.read(key) for key in store.list(f"models/{bundle.id}"))
