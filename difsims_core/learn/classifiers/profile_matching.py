"""Matching of profiles: the phase whose templates correlate best, a baseline of every network."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

import numpy as np

from difsims_core.config.classifiers.matching import ProfileMatchingSpec
from difsims_core.errors import ModelError
from difsims_core.learn.classifiers.base import (
    Answer,
    Classifier,
    ClassifierInput,
    Fitted,
    ProgressCallback,
    Recipe,
)
from difsims_core.learn.data.streams import Stream
from difsims_core.learn.matching.calibrate import Calibration, reliability
from difsims_core.learn.matching.labelled import labelled_patterns, template_simulation
from difsims_core.learn.matching.profiles import ProfileTemplates, best_profiles, sharp_profiles
from difsims_core.learn.matching.runs import in_runs
from difsims_core.learn.matching.saved_grids import grid_weights, load_grids, of_grids, save_grids
from difsims_core.learn.weights import Weight

_AT_ONCE = 64  # profiles: their scores of 20 000 templates are 5 MB
T = TypeVar("T", bound=ProfileMatchingSpec)


class ProfileClassifier(Classifier[T]):
    """What classifiers have in common that compare profiles with those of templates.

    Attributes
    ----------
    templates : tuple of ProfileTemplates
        Of each phase.
    calibration : Calibration
        From scores to probabilities.
    """

    simulates = True

    def __init__(self, templates: tuple[ProfileTemplates, ...], calibration: Calibration) -> None:
        self.templates, self.calibration = templates, calibration

    @classmethod
    def input_of(cls, training: T) -> ClassifierInput:  # noqa: ARG003
        """Return profiles over the pixel crop."""
        return ClassifierInput("profile", "1d/x_px")

    @classmethod
    def fit(
        cls,
        stream: Stream,
        recipe: Recipe[T],
        progress: ProgressCallback | None = None,  # noqa: ARG003 - there are no epochs
    ) -> Fitted:
        """Compute the templates of each phase, and calibrate their scores on patterns of the training part."""
        spec = recipe.training
        simulation = template_simulation(recipe, recipe.input_shape[0])
        phases = simulation.tables.engine.phases
        templates = tuple(
            ProfileTemplates.of(grid, simulation.profiles(label), phases[label].cell_volume, spec.smooth_degree)
            for label, grid in enumerate(simulation.grids)
        )
        uncalibrated = cls(templates, Calibration(1.0, np.zeros(recipe.n_classes)))
        profiles, classes = labelled_patterns(stream, spec.calibrate_on)
        return Fitted(cls(templates, Calibration.fit(uncalibrated.scores(profiles), classes)))

    @classmethod
    def weights_of(cls, recipe: Recipe[T]) -> tuple[Weight, ...]:
        """Return what templates are; how many there are is told by no recipe."""
        return (
            *grid_weights(recipe.n_classes),
            Weight("calibration", (1 + recipe.n_classes,), "float64"),
            Weight("profile", (None, *recipe.input_shape), "float16"),
            Weight("strength", (None,), "float32"),
        )

    @classmethod
    def load(cls, recipe: Recipe[T], weights: Mapping[str, np.ndarray]) -> Self:
        """Return the classifier of these templates.

        Raises
        ------
        ModelError
            If they do not fit together.
        """
        profile, strength = weights["profile"], weights["strength"]
        if len(profile) != len(strength):
            raise ModelError(
                f"expected as many strengths as templates, found {len(strength)} and {len(profile)}",
                "train the model again",
            )
        grids = load_grids(weights, len(profile))
        parts = zip(grids, of_grids(grids, profile.astype(np.float32)), of_grids(grids, strength), strict=True)
        degree = recipe.training.smooth_degree
        return cls(tuple(ProfileTemplates(*part, degree) for part in parts), Calibration.load(weights["calibration"]))

    def save(self) -> dict[str, np.ndarray]:
        """Return templates, their grids, and the calibration."""
        return {
            **save_grids([templates.grid for templates in self.templates]),
            "calibration": self.calibration.save(),
            "profile": np.concatenate([templates.profile for templates in self.templates]).astype(np.float16),
            "strength": np.concatenate([templates.strength for templates in self.templates]),
        }

    def predict(self, patterns: np.ndarray) -> np.ndarray:
        """Return the probability of each phase."""
        return self.calibration.probabilities(self.scores(patterns))

    @abstractmethod
    def scores(self, patterns: np.ndarray) -> np.ndarray:
        """Return (n, k) float32: how well each phase explains profiles (n, n_q)."""

    def in_runs(self, patterns: np.ndarray, of_run: Callable[[np.ndarray], Any]) -> list[Any]:
        """Return what is made of the sharp profiles of each run of patterns; a thread for each processor."""
        degree = self.templates[0].degree
        return in_runs(patterns, _AT_ONCE, lambda run: of_run(sharp_profiles(run, degree)))


class ProfileMatching(ProfileClassifier[ProfileMatchingSpec]):
    """The correlation of a profile with those of templates, without what is smooth in either."""

    training = ProfileMatchingSpec

    def scores(self, patterns: np.ndarray) -> np.ndarray:
        """Return (n, k) float32: the best correlation of each phase, −1 … 1."""

        def of_run(sharp: np.ndarray) -> np.ndarray:
            return np.stack([best_profiles(sharp, templates)[1] for templates in self.templates], axis=1)

        return np.concatenate(self.in_runs(patterns, of_run))

    def answer(self, patterns: np.ndarray) -> Answer:
        """Return probabilities and the reliability."""
        scores = self.scores(patterns)
        return Answer(self.calibration.probabilities(scores), reliability=reliability(scores))
