"""Several classifiers of the same patterns, asked together: the mean of their probabilities, and how far they part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from difsims_core.config.classifiers.ensemble import EnsembleSpec
from difsims_core.errors import InputError
from difsims_core.learn.classifiers.base import (
    Answer,
    Classifier,
    ClassifierInput,
    EpochProgress,
    Fitted,
    ProgressCallback,
    Recipe,
    classifier_class,
    input_of,
)
from difsims_core.learn.data.streams import Stream
from difsims_core.learn.weights import Weight


class Ensemble(Classifier[EnsembleSpec]):
    """Members that were trained one after the other.

    Attributes
    ----------
    members : tuple of Classifier
        In the order of the document.
    """

    training = EnsembleSpec

    def __init__(self, members: tuple[Classifier[Any], ...]) -> None:
        self.members = members

    @classmethod
    def input_of(cls, training: EnsembleSpec) -> ClassifierInput:
        """Return what all members take.

        Raises
        ------
        InputError
            If they take different patterns.
        """
        inputs = [input_of(member) for member in training.members]
        if any(found != inputs[0] for found in inputs):
            found = ", ".join(
                f"{member.label}: {taken.array}" for member, taken in zip(training.members, inputs, strict=True)
            )
            raise InputError(f"expected members that take the same patterns, found {found}", "train them apart")
        return inputs[0]

    @classmethod
    def fit(cls, stream: Stream, recipe: Recipe[EnsembleSpec], progress: ProgressCallback | None = None) -> Fitted:
        """Train one member after the other on the same stream."""
        fitted, history = list[Fitted](), list[Mapping[str, Any]]()
        most = recipe.training.most_epochs
        for part in _parts(recipe):
            done = len(history)
            fitted.append(classifier_class(part.training).fit(stream, part, _counted(progress, done, most)))
            history += [{**one, "epoch": one["epoch"] + done, "epochs": most} for one in fitted[-1].history]
        return Fitted(cls(tuple(one.classifier for one in fitted)), tuple(history))

    @classmethod
    def weights_of(cls, recipe: Recipe[EnsembleSpec]) -> tuple[Weight, ...]:
        """Return the weights of one member after the other."""
        return tuple(
            replace(weight, name=f"{number}_{weight.name}")
            for number, part in enumerate(_parts(recipe), start=1)
            for weight in classifier_class(part.training).weights_of(part)
        )

    @classmethod
    def load(cls, recipe: Recipe[EnsembleSpec], weights: Mapping[str, np.ndarray]) -> Ensemble:
        """Return the members of these weights."""
        members = list[Classifier[Any]]()
        for number, part in enumerate(_parts(recipe), start=1):
            own = {
                name.removeprefix(f"{number}_"): array
                for name, array in weights.items()
                if name.startswith(f"{number}_")
            }
            members.append(classifier_class(part.training).load(part, own))
        return cls(tuple(members))

    def save(self) -> dict[str, np.ndarray]:
        """Return the weights of all members."""
        return {
            f"{number}_{name}": array
            for number, member in enumerate(self.members, start=1)
            for name, array in member.save().items()
        }

    def predict(self, patterns: np.ndarray) -> np.ndarray:
        """Return the mean of the members' probabilities."""
        return self.answer(patterns).probabilities

    def answer(self, patterns: np.ndarray) -> Answer:
        """Return the mean of the members' probabilities, and how far they are from it.

        The disagreement is the mean over the members of half the sum over the classes of |p − mean|: 0 where all say
        the same, 0.5 where two are sure of different phases. Fractions, orientations and reliability are those of the
        first member that knows them.
        """
        answers = [member.answer(patterns) for member in self.members]
        each = np.stack([answer.probabilities for answer in answers])
        mean = each.mean(axis=0)
        apart = 0.5 * np.abs(each - mean).sum(axis=2).mean(axis=0)
        known = {
            name: next((value for one in answers if (value := getattr(one, name)) is not None), None)
            for name in ("fractions", "orientation", "reliability")
        }
        return Answer(mean, disagreement=apart.astype(np.float32), **known)

    def log_files(self, folder: Path, history: tuple[Mapping[str, Any], ...]) -> dict[str, Path]:
        """Write the learning curves of all, one after the other, where a member has any."""
        return next((files for one in self.members if (files := one.log_files(folder, history))), {})


def _parts(recipe: Recipe[EnsembleSpec]) -> list[Recipe[Any]]:
    """Return what each member is built from."""
    return [replace(recipe, training=member) for member in recipe.training.members]


def _counted(progress: ProgressCallback | None, done: int, most: int) -> ProgressCallback | None:
    """Return what tells the epochs of a member as those that follow on the members before."""
    if progress is None:
        return None

    def tell(state: EpochProgress) -> None:
        progress(replace(state, epoch=state.epoch + done, epochs=most))

    return tell
