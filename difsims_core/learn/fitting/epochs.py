"""After every epoch: the history, the best weights, whether to stop, and what a stopped training goes on from."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from difsims_core.errors import ModelError
from difsims_core.learn.backend import keras
from difsims_core.learn.classifiers.base import EpochProgress, ProgressCallback
from difsims_core.learn.fitting.saved_training import SavedTraining
from difsims_core.learn.weights import Weight

logger = logging.getLogger(__name__)


class Epochs(keras.callbacks.Callback):
    """Follows a compiled network through its epochs.

    Parameters
    ----------
    network, optimiser
        What is trained; the optimiser has its variables.
    epochs, patience, n_train
        Epochs at most, how many without a better validation loss, and patterns of one.
    progress
        Called after every epoch.
    saved
        Where the state is kept, and taken up if there is one; None: nowhere.

    Attributes
    ----------
    history : list
        Of the epochs so far.
    best : list of arrays
        Weights of the best of them.
    """

    def __init__(
        self,
        network: keras.Model,
        optimiser: keras.optimizers.Optimizer,
        limits: tuple[int, int, int],
        progress: ProgressCallback | None,
        saved: SavedTraining | None,
    ) -> None:
        super().__init__()
        self.network, self.optimiser, self.progress, self.saved = network, optimiser, progress, saved
        self.epochs, self.patience, self.n_train = limits
        self.history: list[Mapping[str, Any]] = []
        self.best: list[np.ndarray] = network.get_weights()
        self.best_loss, self.waited = math.inf, 0
        self._started = self._trained = 0.0
        if saved is not None:
            self._take_up(saved)

    @property
    def done(self) -> bool:
        """Whether there is nothing left to train."""
        return len(self.history) >= self.epochs or self.waited >= self.patience

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Start the clock."""
        self._started, self._trained = time.perf_counter(), 0.0

    def on_test_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Note when the training part was done."""
        self._trained = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Judge the epoch and keep what follows from it."""
        values = {name: float(logs[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
        if not all(map(math.isfinite, values.values())):
            raise ModelError(
                f"training diverged in epoch {epoch + 1}: loss {values['loss']}, validation loss {values['val_loss']}",
                "lower learning_rate",
            )
        rate = self.n_train / max(self._trained - self._started, 1e-9)
        state = EpochProgress(epoch + 1, self.epochs, **values, samples_per_second=rate)
        self.history.append({**asdict(state), "seconds": time.perf_counter() - self._started})
        logger.info("epoch %d of %d: validation loss %.4f", state.epoch, state.epochs, state.val_loss)
        self.waited += 1
        if state.val_loss < self.best_loss:
            self.best_loss, self.best, self.waited = state.val_loss, self.network.get_weights(), 0
        self.network.stop_training = self.done
        if self.saved is not None:
            self.saved.write(state.epoch, self._arrays(), self.waited, self.best_loss, self.history)
        if self.progress is not None:
            self.progress(state)

    def _variables(self) -> list[Any]:
        """Return weights, states of random numbers, and those of the optimiser."""
        return [*self.network.variables, *self.optimiser.variables]

    def _arrays(self) -> dict[str, np.ndarray]:
        now = {f"now_{place}": np.asarray(variable) for place, variable in enumerate(self._variables())}
        return now | {f"best_{place}": weight for place, weight in enumerate(self.best)}

    def _take_up(self, saved: SavedTraining) -> None:
        expected = [Weight(name, array.shape, str(array.dtype)) for name, array in self._arrays().items()]
        found = saved.read(expected)
        if found is None:
            return
        state, arrays = found
        for place, variable in enumerate(self._variables()):
            variable.assign(arrays[f"now_{place}"])
        self.best = [arrays[f"best_{place}"] for place in range(len(self.best))]
        self.best_loss, self.waited = state.best_loss, state.waited
        self.history = [one.model_dump() for one in state.history]
        logger.info("the training goes on after epoch %d", state.epoch)
