"""Matching of profiles and non-negative least squares: phases and mixtures of simulated profiles."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

from difsims_core.config.classifiers.matching import NnlsSpec, ProfileMatchingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.errors import ModelError
from difsims_core.learn.bundle import load_bundle
from difsims_core.learn.classifiers.profile_matching import ProfileMatching
from difsims_core.learn.matching import profiles
from difsims_core.learn.train import run_training
from difsims_core.learn.verify import verify_model
from difsims_core.simulation.simulator import simulate
from difsims_core.storage.objects import open_store

PHASES = ("pb", "gratia_2h", "pbi2_2h")
DOCUMENT = {
    "n_patterns": 300,
    "seed": 3,
    "phases": list(PHASES),
    "diffraction": {"thickness_angstrom": {"uniform": [80, 140]}},
    "lattice_scale": {"uniform": [0.99, 1.01]},
    "calibration_scale": 1.0,
    "spots": {"sigma_px": 2.5, "removal": None},
    "noise": {"dose": 1e5},
    "output": {"x_all": False},
}
CHOICE = {
    "resolution_deg": 2.0, "thicknesses": 1, "lattice_scales": 3, "scale_range": 0.01, "calibrate_on": 150,
}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return open_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def trained(store):
    simulated = run_simulation(store, SimulationSpec.model_validate(DOCUMENT))
    return {
        spec.kind: run_training(store, [simulated.id], spec).bundle
        for spec in (ProfileMatchingSpec(**CHOICE), NnlsSpec(**CHOICE))
    }


@pytest.mark.parametrize("kind", ["profile_matching", "nnls"])
def test_phases_of_unseen_profiles(store, trained, kind):
    bundle = trained[kind]
    unseen = simulate(SimulationSpec.model_validate(DOCUMENT | {"n_patterns": 90, "seed": 99}), 0, 90)
    answer = bundle.classifier.answer(unseen.x_px)
    assert (answer.probabilities.argmax(axis=1) == unseen.y.ravel()).mean() > 0.85
    assert ((answer.reliability >= 0) & (answer.reliability <= 1)).all()
    split = [bundle.classifier.predict(unseen.x_px[some]) for some in (slice(0, 5), slice(5, 90))]
    np.testing.assert_array_equal(answer.probabilities, np.concatenate(split))
    assert verify_model(store, bundle.id).ok
    again = load_bundle(bundle.id, store).classifier
    np.testing.assert_array_equal(again.predict(unseen.x_px), answer.probabilities)
    assert again.predict(np.empty((0, 147), np.float32)).shape == (0, 3)
    flat = again.answer(np.zeros((2, 147), np.float32))
    np.testing.assert_allclose(flat.probabilities.sum(axis=1), 1, atol=1e-6)


def test_a_smooth_background_changes_nothing(trained):
    unseen = simulate(SimulationSpec.model_validate(DOCUMENT | {"n_patterns": 30, "seed": 7}), 0, 30)
    q = np.linspace(-1, 1, 147)
    scores = [trained["profile_matching"].classifier.scores(x) for x in (unseen.x_px, unseen.x_px + 2 - q + q**3)]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-5)


def test_parts_of_the_volume_of_two_grains(trained):
    overlap = {"overlap": {"probability": 1.0, "fraction": {"uniform": [0.2, 0.5]}}}
    unseen = simulate(SimulationSpec.model_validate(DOCUMENT | overlap | {"n_patterns": 90, "seed": 5}), 0, 90)
    fractions = trained["nnls"].classifier.answer(unseen.x_px).fractions
    np.testing.assert_allclose(fractions.sum(axis=1), 1, atol=1e-5)
    wrong = np.abs(fractions - unseen.fractions).mean()
    guessed = np.abs(1 / 3 - unseen.fractions).mean()
    assert wrong < 0.9 * guessed


def test_parts_are_those_of_the_active_set_method():
    random = np.random.default_rng(0)
    chosen = random.normal(size=(20, 3, 12)) + 0.5
    sharp = random.normal(size=(20, 12))
    found = profiles._non_negative(sharp, chosen)
    np.testing.assert_allclose(found, [nnls(a.T, b)[0] for a, b in zip(chosen, sharp, strict=True)], atol=1e-6)


def test_arrays_that_do_not_fit_together_are_refused(trained):
    bundle = trained["profile_matching"]
    arrays = bundle.classifier.save()
    with pytest.raises(ModelError, match="strengths"):
        ProfileMatching.load(bundle.recipe, arrays | {"strength": arrays["strength"][1:]})
