"""Keras networks, by name: the architecture comes from a family and the weights are plain arrays.

Networks of `families.NETWORKS` take profiles, those of `families.POLAR_NETWORKS` the amplitudes of polar patterns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from difsims_core.config.learning import TrainingSpec
from difsims_core.learn.classifiers.base import Classifier, ClassifierInput, Fitted, ProgressCallback, Recipe
from difsims_core.learn.data.network_input import network_input
from difsims_core.learn.data.streams import Stream
from difsims_core.learn.fitting.saved_training import SavedTraining
from difsims_core.learn.weights import Weight

if TYPE_CHECKING:
    from difsims_core.learn.backend import keras, tf

_BATCH_ROWS = 1024  # 37 MB in the widest layer of large_filter


class KerasNetwork(Classifier[TrainingSpec]):
    """A network whose last layer gives probabilities; patterns have one channel, the last axis.

    Attributes
    ----------
    network : keras.Model
        The network.
    """

    training = TrainingSpec
    libraries = ("tensorflow", "keras")
    goes_on = True

    def __init__(self, network: keras.Model) -> None:
        self.network = network

    @classmethod
    def input_of(cls, training: TrainingSpec) -> ClassifierInput:
        """Return the profiles that the document chooses, or polar patterns on a reduced grid."""
        if training.takes_polar:
            return ClassifierInput("polar", "polar/x")
        return ClassifierInput("profile", f"1d/{training.profiles}")

    @classmethod
    def fit(
        cls,
        stream: Stream,
        recipe: Recipe[TrainingSpec],
        progress: ProgressCallback | None = None,
        saved: SavedTraining | None = None,
    ) -> Fitted:
        """Train until the validation loss stops falling (`fit_network`)."""
        from difsims_core.learn.classifiers.keras_fit import fit_network

        network, history = fit_network(stream, recipe.n_classes, recipe.training, progress, saved)
        return Fitted(cls(network), tuple(history))

    @classmethod
    def weights_of(cls, recipe: Recipe[TrainingSpec]) -> tuple[Weight, ...]:
        """Return the weights of the network, in its order."""
        from difsims_core.learn.networks import weights_of

        spec = recipe.training
        variables = weights_of(spec.network, (*recipe.input_shape, 1), recipe.n_classes, spec.network_parameters)
        return _described(variables)

    @classmethod
    def load(cls, recipe: Recipe[TrainingSpec], weights: Mapping[str, np.ndarray]) -> KerasNetwork:
        """Build the network and set its weights."""
        from difsims_core.learn.networks import build_chosen

        spec = recipe.training
        network = build_chosen(spec.network, (*recipe.input_shape, 1), recipe.n_classes, spec.network_parameters)
        network.set_weights([*weights.values()])
        return cls(network)

    def save(self) -> dict[str, np.ndarray]:
        """Return the weights, numbered in the order of the network."""
        names = [weight.name for weight in _described(self.network.weights)]
        return dict(zip(names, self.network.get_weights(), strict=True))

    def predict(self, patterns: np.ndarray) -> np.ndarray:
        """Return the outputs of the network, float32."""
        call = _compiled(self.network) if len(patterns) > _BATCH_ROWS else partial(self.network, training=False)
        parts = [
            np.asarray(call(network_input(patterns[start : start + _BATCH_ROWS])))
            for start in range(0, len(patterns), _BATCH_ROWS)
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.network.output_shape[-1]), np.float32)

    def log_files(self, folder: Path, history: tuple[Mapping[str, Any], ...]) -> dict[str, Path]:
        """Write the learning curves for TensorBoard."""
        from difsims_core.learn.curves import write_curves

        return write_curves(folder, history)

    def export(self, path: Path) -> None:
        """Write the network in Keras' own format."""
        self.network.save(path)


@lru_cache(maxsize=2)
def _compiled(network: keras.Model) -> Callable[[np.ndarray], tf.Tensor]:
    """Return a network as one graph: up to twice as fast as layer by layer, once it is built (0.1 s)."""
    from difsims_core.learn.backend import tf

    signature = tf.TensorSpec(network.input_shape, tf.float32)  # pyright: ignore[reportArgumentType]
    return tf.function(lambda patterns: network(patterns, training=False), input_signature=[signature])


def _described(variables: Sequence[Any]) -> tuple[Weight, ...]:
    digits = max(2, len(str(len(variables) - 1)))
    return tuple(
        Weight(f"{place:0{digits}d}_{v.name}", tuple(int(edge) for edge in v.shape), str(v.dtype))
        for place, v in enumerate(variables)
    )
