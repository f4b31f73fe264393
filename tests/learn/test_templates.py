"""Template matching: phases and orientations of simulated patterns, and what is stored of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from difsims_core.config.classifiers.matching import TemplatesSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.errors import InputError, ModelError
from difsims_core.learn.bundle import load_bundle
from difsims_core.learn.classifiers.base import Recipe
from difsims_core.learn.classifiers.templates import TemplateMatching
from difsims_core.learn.matching.search import PreparedPatterns, SearchWidth, best_beside, best_matches, match
from difsims_core.learn.predict import predict_profiles
from difsims_core.learn.train import run_training
from difsims_core.learn.verify import verify_model
from difsims_core.simulation.simulator import simulate
from difsims_core.storage.objects import open_store

PITCH = 3.0
PHASES = ("pb", "gratia_2h", "pbi2_2h")
DOCUMENT = {
    "n_patterns": 300,
    "seed": 3,
    "phases": list(PHASES),
    "diffraction": {"thickness_angstrom": {"uniform": [80, 140]}},
    "lattice_scale": {"uniform": [0.99, 1.01]},
    "calibration_scale": 1.0,
    "spots": {"sigma_px": 2.5, "removal": None},
    "output": {"x_all": False, "polar": {}},
}
TRAINING = TemplatesSpec(
    resolution_deg=PITCH, thicknesses=1, lattice_scales=3, scale_range=0.01, calibrate_on=100, batch_size=100
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return open_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def bundle(store):
    simulated = run_simulation(store, SimulationSpec.model_validate(DOCUMENT))
    return run_training(store, [simulated.id], TRAINING).bundle


@pytest.fixture(scope="module")
def unseen():
    """Random orientations: none is one of the grid's."""
    return simulate(SimulationSpec.model_validate(DOCUMENT | {"n_patterns": 60, "seed": 99}), 0, 60)


def misorientation_deg(found, true, operations):
    """Return the angles (n,) between orientations by the proper operations of a crystal."""
    one, other = (Rotation.from_quat(part, scalar_first=True).as_matrix() for part in (found, true))
    proper = operations[np.linalg.det(operations) > 0]
    traces = np.einsum("nij,sik,nkj->ns", one, proper, other)
    return np.degrees(np.arccos(np.clip((traces.max(axis=1) - 1) / 2, -1, 1)))


def test_phases_and_orientations_of_unseen_patterns(bundle, unseen):
    matcher = bundle.classifier
    answer = matcher.answer(unseen.polar)
    labels = unseen.y.ravel()
    assert (answer.probabilities.argmax(axis=1) == labels).mean() > 0.95
    np.testing.assert_allclose(answer.probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(answer.orientation, axis=1), 1, atol=1e-9)
    assert ((answer.reliability >= 0) & (answer.reliability <= 1)).all()
    right = (labels == 1) & (answer.probabilities.argmax(axis=1) == 1)
    error = misorientation_deg(
        answer.orientation[right], unseen.draws["orientation"][right], matcher.templates[1].grid.operations
    )
    assert np.median(error) <= PITCH / 2


def test_the_search_finds_what_the_comparison_with_all_templates_finds(bundle, unseen):
    matcher = bundle.classifier
    found, prepared = matcher.match(unseen.polar).scores, PreparedPatterns.of(unseen.polar, matcher.power)
    every = [
        match(prepared, templates, np.arange(templates.grid.size)[None]).score.max(axis=1)
        for templates in matcher.templates
    ]
    best = np.stack(every, axis=1)
    assert (found <= best + 1e-6).all()
    assert (found.max(axis=1) >= best.max(axis=1) - 1e-6).mean() >= 0.95
    assert (found.argmax(axis=1) == best.argmax(axis=1)).mean() >= 0.99


def test_thickness_and_scale_are_compared_at_one_turn(bundle, unseen):
    templates = bundle.classifier.templates[1]
    prepared = PreparedPatterns.of(unseen.polar[:5], bundle.classifier.power)
    given = match(prepared, templates, np.arange(1, templates.grid.size, 7)[None])
    found = best_beside(prepared, templates, given)
    n, beside = prepared.n_azimuths, templates.grid.beside
    dense = np.zeros((templates.grid.size, 74 * n))
    np.put_along_axis(dense, templates.cell.astype(int), templates.amplitude, axis=1)
    dense = dense.reshape(-1, 74, n)
    for i, c in np.ndindex(given.score.shape):
        first = given.template[0, c] // beside * beside
        family = dense[first : first + beside, :, :: -1 if given.mirrored[i, c] else 1]
        family = np.roll(family, given.turn[i, c], axis=2)
        scores = np.einsum("tqa,qa->t", family, prepared.doubled[i, :, :n])
        assert found.score[i, c] == pytest.approx(scores.max(), abs=1e-5)
        assert scores[found.template[i, c] - first] == pytest.approx(scores.max(), abs=1e-5)


def test_phases_that_are_nearly_as_probable_are_searched_for_again(bundle):
    matcher = bundle.classifier
    noise = np.random.default_rng(5).random((40, 74, 72)).astype(np.float32)
    prepared = PreparedPatterns.of(noise, matcher.power)
    narrow, wide = (
        np.stack([best_matches(prepared, templates, width).score for templates in matcher.templates], axis=1)
        for width in (matcher.width, SearchWidth(1.0, 0.15, 4))
    )
    found = matcher.match(noise).scores
    again = found > narrow
    assert again.any()
    np.testing.assert_array_equal(found[again], wide[again])
    logits = matcher.calibration.logits(narrow)
    close = logits > logits.max(axis=1, keepdims=True) - 1.5
    close &= close.sum(axis=1, keepdims=True) > 1
    np.testing.assert_array_equal(found, np.where(close, np.maximum(narrow, wide), narrow))
    assert not close.all()


def test_a_turned_or_mirrored_pattern_is_found_exactly(bundle, unseen):
    matcher = bundle.classifier
    patterns = unseen.polar[:6]
    plain = matcher.answer(patterns)
    turned = matcher.answer(np.roll(patterns, 7, axis=2))
    np.testing.assert_allclose(turned.probabilities, plain.probabilities, atol=1e-6)
    angle = Rotation.from_quat(plain.orientation, scalar_first=True) * Rotation.from_euler("z", -35, degrees=True)
    difference = angle.inv() * Rotation.from_quat(turned.orientation, scalar_first=True)
    np.testing.assert_allclose(difference.magnitude(), 0, atol=1e-4)
    mirrored = matcher.answer(patterns[:, :, ::-1])
    np.testing.assert_allclose(mirrored.probabilities, plain.probabilities, atol=1e-6)


def test_the_same_bytes_for_any_split(bundle, unseen):
    whole = bundle.classifier.match(unseen.polar, orientations=True)
    parts = [bundle.classifier.match(unseen.polar[some], orientations=True) for some in (slice(0, 7), slice(7, 60))]
    for name in ("scores", "orientations"):
        np.testing.assert_array_equal(getattr(whole, name), np.concatenate([getattr(part, name) for part in parts]))


def test_it_is_stored_as_plain_arrays_and_loaded(store, bundle, unseen):
    assert verify_model(store, bundle.id).ok
    again = load_bundle(bundle.id, store)
    np.testing.assert_array_equal(again.classifier.predict(unseen.polar), bundle.classifier.predict(unseen.polar))
    assert predict_profiles(again, unseen.polar[:4].reshape(2, 2, 74, 72), again.q_axis).shape == (2, 2, 3)


def test_patterns_in_which_nothing_rises_say_nothing(bundle):
    answer = bundle.classifier.answer(np.zeros((2, 74, 72), np.float32))
    assert np.isnan(answer.orientation).all()
    np.testing.assert_array_equal(answer.reliability, 0)
    assert bundle.classifier.answer(np.empty((0, 74, 72), np.float32)).probabilities.shape == (0, 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda arrays: arrays["cell"].fill(74 * 72), "cells up to 5328"),
        (lambda arrays: arrays["n_directions"].__setitem__(0, 1), "beam directions"),
        (lambda arrays: arrays["n_directions"].__setitem__(0, -1), "beam directions"),
        (lambda arrays: arrays["operations"].__imul__(2), "point operations"),
        (lambda arrays: arrays["members"].__imul__(2), "beam directions"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(bundle, change, words):
    arrays = {name: values.copy() for name, values in bundle.classifier.save().items()}
    change(arrays)
    with pytest.raises(ModelError, match=words):
        TemplateMatching.load(bundle.recipe, arrays)


def test_other_lengths_than_the_record_are_refused(bundle):
    recorded = [replace(w, shape=(w.shape[0] + 1, *w.shape[1:])) if w.name == "cell" else w for w in bundle.weights]
    with pytest.raises(ModelError, match="cell"):
        _ = replace(bundle, weights=tuple(recorded)).classifier


def test_what_cannot_be_matched_is_refused(store):
    recipe = Recipe(TRAINING, (74, 72), 2)
    with pytest.raises(InputError, match="simulated of"):
        TemplateMatching.fit(None, recipe)  # pyright: ignore[reportArgumentType] it is not looked at
    document = SimulationSpec.model_validate(DOCUMENT | {"phases": ["pb", "pbi2_2h"]})
    for change, words in (
        ({"background_class": True}, "background_class"),
        ({"postprocessing": {"sqrt": True}}, "square roots"),
    ):
        changed = SimulationSpec.model_validate(document.to_document() | change)
        with pytest.raises(InputError, match=words):
            TemplateMatching.fit(None, replace(recipe, simulation=changed))  # pyright: ignore[reportArgumentType]
    fine = TRAINING.model_copy(update={"resolution_deg": 0.3})
    with pytest.raises(InputError, match=r"templates .*resolution_deg"):
        TemplateMatching.fit(None, Recipe(fine, (74, 72), 2, document))  # pyright: ignore[reportArgumentType]
