"""Stored patterns as a ``tf.data`` pipeline: the one file outside ``learn`` that knows TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from difsims_core.learn.data.network_input import network_input
from difsims_core.learn.data.pattern_stream import PatternStream, rows_in_memory
from difsims_core.learn.data.split import Part

if TYPE_CHECKING:
    import tensorflow as tf

_PREFETCH = 8  # batches


class BatchFeed:
    """Batches of a stream for TensorFlow; remembers the error that stopped it.

    TensorFlow turns an exception of a generator into a text within an error of its own; ``failure`` is the real one.
    """

    def __init__(self, stream: PatternStream) -> None:
        self.stream = stream
        self.failure: Exception | None = None

    def training(self) -> tf.data.Dataset:
        """Return shuffled batches of the training part without end; an epoch is ``stream.n_batches(TRAIN)`` of them."""
        return self._dataset(lambda: (batch for epoch in count() for batch in self.stream.batches(Part.TRAIN, epoch)))

    def validation(self) -> tf.data.Dataset:
        """Return the validation part once, in stored order; kept in memory when it is no larger than a pool."""
        import tensorflow as tf

        dataset = self._dataset(lambda: self.stream.batches(Part.VALIDATION))
        if self.stream.count(Part.VALIDATION) <= rows_in_memory(self.stream.input_shape, self.stream.pool_rows):
            dataset = dataset.cache()
        return dataset.apply(tf.data.experimental.assert_cardinality(self.stream.n_batches(Part.VALIDATION)))

    def _dataset(self, batches: Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]]) -> tf.data.Dataset:
        import tensorflow as tf

        def feed() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            try:
                for x, y in batches():
                    yield network_input(x), y
            except Exception as error:
                self.failure = error
                raise

        signature = (
            tf.TensorSpec((None, *self.stream.input_shape, 1), tf.float32),  # pyright: ignore[reportArgumentType]
            tf.TensorSpec((None,), tf.int32),  # pyright: ignore[reportArgumentType]
        )
        options = tf.data.Options()
        options.deterministic = True
        # There is nothing to tune, and its thread, asleep for up to a minute, delays the end of every training
        # (TensorFlow 2.21: ~RootDataset::Iterator waits for it).
        options.autotune.enabled = False
        dataset = tf.data.Dataset.from_generator(feed, output_signature=signature)
        return dataset.prefetch(_PREFETCH).with_options(options)
