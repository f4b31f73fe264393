"""A classifier out of stored weights, and back: refused unless it is what its record says and gives probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from difsims_core.errors import InputError, ModelError
from difsims_core.learn.classifiers.base import Classifier, Recipe, classifier_class
from difsims_core.learn.weights import Weight, check_count, check_values, describe, read_weights

_PROBES = 8
_ROUNDING = 1e-4  # of the sum of probabilities in float32


def expected_weights(recipe: Recipe[Any]) -> tuple[Weight, ...]:
    """Return the weights that a classifier of this recipe has, before any is allocated; of some edges None.

    Raises
    ------
    ModelError
        If there can be no such classifier, or it would have more weights than are ever loaded.
    """
    try:
        found = classifier_class(recipe.training).weights_of(recipe)
    except InputError as error:
        raise ModelError(str(error)) from None
    check_count(found, str(recipe))
    return found


def restore(data: bytes, recipe: Recipe[Any], recorded: Sequence[Weight], where: str) -> Classifier[Any]:
    """Return the classifier whose weights an npz file holds.

    Parameters
    ----------
    data
        The file, its checksum known to be right.
    recipe
        What the classifier is built from.
    recorded
        What arrays the record says there are.
    where
        What errors call the file.

    Raises
    ------
    ModelError
        If the classifier is not known here or too large, has other arrays than the record or the file, one of them is
        not finite, or what comes out are no probabilities.
    """
    expected = expected_weights(recipe)
    if not _fit(expected, recorded):
        raise ModelError(f"{where}: {_difference(expected, recorded, recipe)}", "train the model again")
    check_count(recorded, str(recipe))
    classifier = classifier_class(recipe.training).load(recipe, read_weights(data, recorded, where))
    check_probabilities(classifier, recipe, where)
    return classifier


def weights_to_store(classifier: Classifier[Any], recipe: Recipe[Any], where: str) -> dict[str, np.ndarray]:
    """Return the weights of a classifier; one that could not be loaded again is refused.

    Raises
    ------
    ModelError
        If it is not of this recipe, its weights are not finite, or what it gives are no probabilities.
    """
    weights = classifier.save()
    if not _fit(expected_weights(recipe), describe(weights)):
        raise ModelError(
            f"{where}: the weights are not those of {recipe}", "register what was trained and name it in the training"
        )
    check_count(describe(weights), str(recipe))
    check_values(weights, where)
    check_probabilities(classifier, recipe, where)
    return weights


def probe(classifier: Classifier[Any], recipe: Recipe[Any]) -> np.ndarray:
    """Return the (8, k) outputs for patterns that are always the same: a ramp, a peak, nothing, noise."""
    patterns = np.random.default_rng(0).random((_PROBES, *recipe.input_shape)).astype(np.float32)
    flat = patterns.reshape(_PROBES, -1)
    size = flat.shape[1]
    flat[0] = np.linspace(0, 1, size)
    flat[1] = 0
    flat[2] = np.arange(size) == size // 2
    return np.asarray(classifier.predict(patterns))


def check_probabilities(classifier: Classifier[Any], recipe: Recipe[Any], where: str) -> None:
    """Refuse a classifier whose outputs for a few patterns are no probabilities."""
    outputs = probe(classifier, recipe)
    shape = (_PROBES, recipe.n_classes)
    sums = np.abs(outputs.sum(axis=-1) - 1)
    if outputs.shape != shape or not (outputs >= 0).all() or not (sums <= _ROUNDING).all():
        raise ModelError(
            f"{where}: expected probabilities from this model, {shape[1]} that sum to 1 for each pattern, found "
            f"{outputs.shape} from {outputs.min():g} to {outputs.max():g}",
            "train the model again",
        )


def _fit(expected: Sequence[Weight], recorded: Sequence[Weight]) -> bool:
    return len(expected) == len(recorded) and all(map(Weight.fits, expected, recorded))


def _difference(expected: Sequence[Weight], found: Sequence[Weight], recipe: Recipe[Any]) -> str:
    """Return where the weights of a record and of the classifier built from it part first."""
    pairs = zip(expected, found, strict=False)
    here, there = next(((e, f) for e, f in pairs if not e.fits(f)), (f"{len(expected)} arrays", f"{len(found)}"))
    return f"expected the weights of {recipe.training.label}, {here}, found {there}"
