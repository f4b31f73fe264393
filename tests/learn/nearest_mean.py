"""A classifier in a file: the nearest mean of a class, in NumPy alone, of profiles or of polar patterns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from difsims_core.config.learning import TrainingDocument
from difsims_core.learn.classifiers.base import Classifier, ClassifierInput, Fitted, ProgressCallback, Recipe
from difsims_core.learn.data.split import Part
from difsims_core.learn.data.streams import Stream
from difsims_core.learn.weights import Weight


class NearestMeanSpec(TrainingDocument):
    kind: Literal["nearest_mean"] = "nearest_mean"  # type: ignore[assignment]
    takes: Literal["profile", "polar", "reduced"] = "profile"
    sharpness: float = 5.0


class NearestMean(Classifier[NearestMeanSpec]):
    training = NearestMeanSpec

    def __init__(self, means: np.ndarray, sharpness: float) -> None:
        self.means, self.sharpness = means, sharpness

    @classmethod
    def input_of(cls, training: NearestMeanSpec) -> ClassifierInput:
        if training.takes == "profile":
            return ClassifierInput("profile", "1d/x_px")
        return ClassifierInput("polar", {"polar": "2d/x_px", "reduced": "polar/x"}[training.takes])

    @classmethod
    def fit(
        cls,
        stream: Stream,
        recipe: Recipe[NearestMeanSpec],
        progress: ProgressCallback | None = None,  # noqa: ARG003
    ) -> Fitted:
        sums = np.zeros((recipe.n_classes, *recipe.input_shape))
        for patterns, classes in stream.batches(Part.TRAIN):
            np.add.at(sums, classes, patterns)
        counts = stream.class_counts(Part.TRAIN).reshape(-1, *(1 for _ in recipe.input_shape))
        return Fitted(cls((sums / counts).astype(np.float32), recipe.training.sharpness))

    @classmethod
    def weights_of(cls, recipe: Recipe[NearestMeanSpec]) -> tuple[Weight, ...]:
        return (Weight("means", (recipe.n_classes, *recipe.input_shape), "float32"),)

    @classmethod
    def load(cls, recipe: Recipe[NearestMeanSpec], weights: Mapping[str, np.ndarray]) -> NearestMean:
        return cls(weights["means"], recipe.training.sharpness)

    def save(self) -> dict[str, np.ndarray]:
        return {"means": self.means}

    def predict(self, patterns: np.ndarray) -> np.ndarray:
        axes = tuple(range(2, self.means.ndim + 1))
        distance = np.sqrt(((patterns[:, None] - self.means) ** 2).mean(axis=axes))
        scores = np.exp(-self.sharpness * (distance - distance.min(axis=1, keepdims=True)))
        return (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
