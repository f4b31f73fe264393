"""Two networks in turn: one tells the first phase from all others, the other tells these apart.

Their probabilities multiply: p₁ = P(first), pⱼ = (1 − P(first)) · P(j | not the first). See docs/architecture.md §8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from difsims_core.config.learning import NetworkTraining, TrainingSpec
from difsims_core.learn.classifiers.base import Classifier, ClassifierInput, Fitted, ProgressCallback, Recipe
from difsims_core.learn.classifiers.keras_network import KerasNetwork
from difsims_core.learn.data.streams import ClassGroups, Stream
from difsims_core.learn.weights import Weight

if TYPE_CHECKING:
    from difsims_core.learn.classifiers.base import EpochProgress
    from difsims_core.learn.fitting.saved_training import SavedTraining


class BinaryThenMulticlassSpec(NetworkTraining):
    """How the two networks are trained: both alike."""

    kind: Literal["binary_then_multiclass"] = Field(  # pyright: ignore[reportIncompatibleVariableOverride] it is frozen
        default="binary_then_multiclass", description="kind of classifier"
    )

    @property
    def label(self) -> str:
        """What is trained, in a word."""
        return f"{self.network}, binary then multiclass"

    @property
    def most_epochs(self) -> int:
        """Passes over the training part at most, of both networks together."""
        return 2 * self.epochs

    def of_network(self) -> TrainingSpec:
        """Return how each of the networks is trained."""
        return TrainingSpec(**{name: getattr(self, name) for name in NetworkTraining.model_fields if name != "kind"})


class BinaryThenMulticlass(Classifier[BinaryThenMulticlassSpec]):
    """The first phase against all others, then the others; of two phases the first network alone.

    Attributes
    ----------
    networks : dict
        ``binary`` and, of more than two phases, ``multiclass``.
    """

    training = BinaryThenMulticlassSpec
    libraries = ("tensorflow", "keras")
    goes_on = True

    def __init__(self, networks: Mapping[str, KerasNetwork]) -> None:
        self.networks = dict(networks)

    @classmethod
    def input_of(cls, training: BinaryThenMulticlassSpec) -> ClassifierInput:
        """Return what its networks take."""
        return KerasNetwork.input_of(training.of_network())

    @classmethod
    def fit(
        cls,
        stream: Stream,
        recipe: Recipe[BinaryThenMulticlassSpec],
        progress: ProgressCallback | None = None,
        saved: SavedTraining | None = None,
    ) -> Fitted:
        """Train one network after the other, each until its validation loss stops falling."""
        networks, history = dict[str, KerasNetwork](), list[Mapping[str, Any]]()
        for name, (groups, part) in _steps(recipe).items():
            done = len(history)
            fitted = KerasNetwork.fit(
                stream.regrouped(groups),
                part,
                _counted(progress, done, recipe),
                None if saved is None else saved.of(name),
            )
            networks[name] = fitted.classifier  # pyright: ignore[reportArgumentType] it is the class that fitted it
            history += [
                {**one, "epoch": one["epoch"] + done, "epochs": recipe.training.most_epochs} for one in fitted.history
            ]
        return Fitted(cls(networks), tuple(history))

    @classmethod
    def weights_of(cls, recipe: Recipe[BinaryThenMulticlassSpec]) -> tuple[Weight, ...]:
        """Return the weights of one network after the other."""
        return tuple(
            replace(weight, name=f"{name}_{weight.name}")
            for name, (_, part) in _steps(recipe).items()
            for weight in KerasNetwork.weights_of(part)
        )

    @classmethod
    def load(cls, recipe: Recipe[BinaryThenMulticlassSpec], weights: Mapping[str, np.ndarray]) -> BinaryThenMulticlass:
        """Build the networks and set their weights."""
        networks = {}
        for name, (_, part) in _steps(recipe).items():
            own = {key: array for key, array in weights.items() if key.startswith(f"{name}_")}
            networks[name] = KerasNetwork.load(part, own)
        return cls(networks)

    def save(self) -> dict[str, np.ndarray]:
        """Return the weights of both."""
        return {
            f"{name}_{key}": array for name, network in self.networks.items() for key, array in network.save().items()
        }

    def predict(self, patterns: np.ndarray) -> np.ndarray:
        """Return the products of both networks' probabilities."""
        binary = self.networks["binary"].predict(patterns)
        if "multiclass" not in self.networks:
            return binary
        others = self.networks["multiclass"].predict(patterns)
        return np.concatenate([binary[:, :1], binary[:, 1:] * others], axis=1)

    def log_files(self, folder: Path, history: tuple[Mapping[str, Any], ...]) -> dict[str, Path]:
        """Write the learning curves of both, one after the other, for TensorBoard."""
        return self.networks["binary"].log_files(folder, history)


def _steps(recipe: Recipe[BinaryThenMulticlassSpec]) -> dict[str, tuple[ClassGroups, Recipe[TrainingSpec]]]:
    """Return the classes that each network sees, and what it is built from."""
    training, k = recipe.training.of_network(), recipe.n_classes
    groups = {"binary": np.minimum(np.arange(k), 1)}
    if k > 2:
        groups["multiclass"] = np.arange(k) - 1
    return {
        name: (ClassGroups(of), Recipe(training, recipe.input_shape, int(of.max()) + 1)) for name, of in groups.items()
    }


def _counted(
    progress: ProgressCallback | None, done: int, recipe: Recipe[BinaryThenMulticlassSpec]
) -> ProgressCallback | None:
    """Return what tells the epochs of a network as those that follow on the network before."""
    if progress is None:
        return None

    def tell(state: EpochProgress) -> None:
        progress(replace(state, epoch=state.epoch + done, epochs=recipe.training.most_epochs))

    return tell
