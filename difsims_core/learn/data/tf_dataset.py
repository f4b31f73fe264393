"""Stored patterns as a ``tf.data`` pipeline: the one file outside ``learn`` that knows TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from difsims_core.learn.data.network_input import network_input
from difsims_core.learn.data.pattern_stream import rows_in_memory
from difsims_core.learn.data.split import Part
from difsims_core.learn.data.streams import Stream

if TYPE_CHECKING:
    import tensorflow as tf

_PREFETCH = 8  # batches


class BatchFeed:
    """Batches of a stream for TensorFlow; remembers the error that stopped it.

    TensorFlow turns an exception of a generator into a text within an error of its own; ``failure`` is the real one.
    It also keeps the generators of a dataset as long as the process lives (2.21): at its end ``with`` lets go of the
    stream, and of the libraries that it simulates from.

    Parameters
    ----------
    stream
        The patterns.
    n_classes
        None: labels are class numbers; otherwise rows of so many probabilities.
    fractions
        Rows are the volume fractions of the classes, not the one class.
    """

    def __init__(self, stream: Stream, n_classes: int | None = None, *, fractions: bool = False) -> None:
        self.stream, self.n_classes, self.fractions = stream, n_classes, fractions
        self.failure: Exception | None = None

    def __enter__(self) -> Self:
        """Return this feed."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the stream; the datasets of this feed are at an end."""
        del self.stream

    def training(self, first_epoch: int = 0) -> tf.data.Dataset:
        """Return shuffled batches of the training part without end; an epoch is ``stream.n_batches(TRAIN)`` of them."""
        return self._dataset(lambda: (batch for epoch in count(first_epoch) for batch in self._of(Part.TRAIN, epoch)))

    def validation(self) -> tf.data.Dataset:
        """Return the validation part once, in stored order; kept in memory when it is no larger than a pool."""
        import tensorflow as tf

        dataset = self._dataset(lambda: self._of(Part.VALIDATION))
        if self.stream.count(Part.VALIDATION) <= rows_in_memory(self.stream.input_shape, self.stream.pool_rows):
            dataset = dataset.cache()
        return dataset.apply(tf.data.experimental.assert_cardinality(self.stream.n_batches(Part.VALIDATION)))

    def _of(self, part: Part, epoch: int | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for x, y in self.stream.batches(part, epoch, fractions=self.fractions):
            yield network_input(x), y if self.n_classes is None or self.fractions else _rows(y, self.n_classes)

    def _dataset(self, batches: Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]]) -> tf.data.Dataset:
        import tensorflow as tf

        def feed() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            try:
                yield from batches()
            except Exception as error:
                self.failure = error
                raise

        labels: Any = ((None,), tf.int32) if self.n_classes is None else ((None, self.n_classes), tf.float32)
        signature = (
            tf.TensorSpec((None, *self.stream.input_shape, 1), tf.float32),  # pyright: ignore[reportArgumentType]
            tf.TensorSpec(*labels),
        )
        options = tf.data.Options()
        options.deterministic = True
        # There is nothing to tune, and its thread, asleep for up to a minute, delays the end of every training
        # (TensorFlow 2.21: ~RootDataset::Iterator waits for it).
        options.autotune.enabled = False
        dataset = tf.data.Dataset.from_generator(feed, output_signature=signature)
        return dataset.prefetch(_PREFETCH).with_options(options)


def _rows(classes: np.ndarray, n_classes: int) -> np.ndarray:
    """Return (n, n_classes) float32: 1 for the class of each pattern."""
    return (classes[:, None] == np.arange(n_classes)).astype(np.float32)
