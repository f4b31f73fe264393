"""What a classifier is: everything that streams, bundles, prediction and promotion know of one.

A kind of classifier is a subclass of `Classifier` and a subclass of `TrainingDocument` that says what can be chosen of
it. It is named in `families.CLASSIFIERS`, or by an entry point of the group ``difsims.classifiers``. Its module imports
nothing heavy: a library is imported within the methods that need it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

import numpy as np

from difsims_core.config.learning import TrainingDocument
from difsims_core.config.simulation import SimulationSpec
from difsims_core.errors import ModelError
from difsims_core.families import CLASSIFIERS
from difsims_core.learn.data.streams import Stream
from difsims_core.learn.weights import Weight

T = TypeVar("T", bound=TrainingDocument)


@dataclass(frozen=True, slots=True)
class ClassifierInput:
    """What a classifier takes.

    Attributes
    ----------
    kind : str
        ``profile``: (n_q,) radial profiles; ``polar``: (n_q, n_φ) polar patterns. In [0, 1] each.
    array : str
        Path of the array of a dataset that it is trained on: ``1d/x_px``.
    """

    kind: Literal["profile", "polar"]
    array: str

    @property
    def n_dim(self) -> int:
        """Axes of one pattern; the first is q."""
        return {"profile": 1, "polar": 2}[self.kind]

    @property
    def labels(self) -> str:
        """Path of the array of labels."""
        folder, _, name = self.array.rpartition("/")
        return f"{folder}/y{name.removeprefix('x')}"

    @property
    def q_axis(self) -> str:
        """Path of the q axis, Å⁻¹."""
        return f"{self.array}_q_axis"

    def __str__(self) -> str:
        return {"profile": "radial profiles", "polar": "polar patterns"}[self.kind]


@dataclass(frozen=True, eq=False)
class Recipe(Generic[T]):
    """What a classifier is built from.

    Attributes
    ----------
    training : TrainingDocument
        What was chosen of it.
    input_shape : tuple of int
        Of one pattern: (n_q,) or (n_q, n_φ).
    n_classes : int
        At least 2.
    simulation : SimulationSpec, optional
        What the patterns of a training were simulated of, for a classifier that ``simulates``; its phases are the
        classes, in their order, their files such as may be read. None of a stored model, and for all others.
    """

    training: T
    input_shape: tuple[int, ...]
    n_classes: int
    simulation: SimulationSpec | None = None

    def __str__(self) -> str:
        size = " × ".join(str(edge) for edge in self.input_shape)
        return f"{self.training.label} for {size} values and {self.n_classes} classes"


@dataclass(frozen=True, slots=True)
class EpochProgress:
    """How far a training is, after an epoch.

    Attributes
    ----------
    epoch, epochs : int
        Epochs done, and at most to do.
    loss, accuracy : float
        Mean over the epoch, with dropout.
    val_loss, val_accuracy : float
        On the validation part.
    samples_per_second : float
        Patterns trained on in a second, without the validation.
    """

    epoch: int
    epochs: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    samples_per_second: float


ProgressCallback = Callable[[EpochProgress], None]


@dataclass(frozen=True, eq=False)
class Answer:
    """What a classifier says of n patterns.

    Attributes
    ----------
    probabilities : (n, n_classes) float32
        Each row sums to 1.
    fractions : (n, n_classes) float32, optional
        Parts of the diffracting volume, of a classifier that knows mixtures.
    orientation : (n, 4) float64, optional
        Unit quaternion (crystal ← sample, as in orix) of the most probable phase; NaN where it is not known.
    reliability : (n,) float32, optional
        1 − (score of the best other phase / best score).
    disagreement : (n,) float32, optional
        How far the members of an ensemble are apart, 0 … 1.
    """

    probabilities: np.ndarray
    fractions: np.ndarray | None = None
    orientation: np.ndarray | None = None
    reliability: np.ndarray | None = None
    disagreement: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Fitted:
    """A classifier that was trained, and how.

    Attributes
    ----------
    classifier : Classifier
        The classifier.
    history : tuple of mappings
        Of each epoch the values of `EpochProgress` and ``seconds``; none for a classifier that has no epochs.
    """

    classifier: Classifier[Any]
    history: tuple[Mapping[str, Any], ...] = ()


class Classifier(ABC, Generic[T]):
    """A trained classifier.

    Attributes
    ----------
    training : type of TrainingDocument
        The document of this kind.
    libraries : tuple of str
        Distributions whose versions a model records.
    simulates : bool
        Whether `fit` computes patterns of its own, so that its recipe says of what.
    goes_on : bool
        Whether `fit` keeps its state: then it takes ``saved``, a `SavedTraining`, beside what `fit` says, and goes on
        from what is there.
    """

    training: ClassVar[type[TrainingDocument]]
    libraries: ClassVar[tuple[str, ...]] = ()
    simulates: ClassVar[bool] = False
    goes_on: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def input_of(cls, training: T) -> ClassifierInput:
        """Return what a classifier of these parameters takes."""

    @classmethod
    @abstractmethod
    def fit(cls, stream: Stream, recipe: Recipe[T], progress: ProgressCallback | None = None) -> Fitted:
        """Train a new classifier.

        Parameters
        ----------
        stream
            Batches: the weights come from ``Part.TRAIN``, when to stop may come from ``Part.VALIDATION``;
            ``Part.TEST`` is not looked at.
        recipe
            What to train. The same recipe, stream and machine give the same weights.
        progress
            Called after every epoch, of a classifier that has any.

        Raises
        ------
        InputError, ModelError
            If it cannot be trained on these patterns.
        """

    @classmethod
    @abstractmethod
    def weights_of(cls, recipe: Recipe[T]) -> tuple[Weight, ...]:
        """Return what arrays a classifier has, in order, without allocating them.

        An edge of an array that the recipe does not tell is None; then `load` checks that the arrays fit together.

        Raises
        ------
        InputError
            If there can be no classifier of this recipe.
        """

    @classmethod
    @abstractmethod
    def load(cls, recipe: Recipe[T], weights: Mapping[str, np.ndarray]) -> Self:
        """Return the classifier of these weights: those of `weights_of`, finite, by name."""

    @abstractmethod
    def save(self) -> dict[str, np.ndarray]:
        """Return the weights by name, in the order of `weights_of`."""

    @abstractmethod
    def predict(self, patterns: np.ndarray) -> np.ndarray:
        """Return (n, n_classes) float32 probabilities of (n, *input_shape) float32 patterns; each row sums to 1."""

    def answer(self, patterns: np.ndarray) -> Answer:
        """Return everything that the classifier says of (n, *input_shape) float32 patterns."""
        return Answer(self.predict(patterns))

    def log_files(self, folder: Path, history: tuple[Mapping[str, Any], ...]) -> dict[str, Path]:  # noqa: ARG002
        """Write below a local folder what is to lie beside the model; return the files by their names there."""
        return {}

    def export(self, path: Path) -> None:
        """Write a file for other programs, in a format of the classifier's own.

        Raises
        ------
        ModelError
            If it has none.
        """
        raise ModelError(f"{path.name}: a {type(self).__name__} has no file format of its own", "use its weights.npz")


def classifier_class(training: TrainingDocument) -> type[Classifier[Any]]:
    """Return the class of the classifiers that a document describes.

    Raises
    ------
    InputError
        If none of this kind is installed.
    """
    return CLASSIFIERS[training.kind]


def input_of(training: TrainingDocument) -> ClassifierInput:
    """Return what the classifier of a document takes."""
    return classifier_class(training).input_of(training)
