"""Keras on TensorFlow, loaded without the start-up messages that concern nobody."""

from __future__ import annotations

import os
import random
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"

# TensorFlow 2.21 prints these before its log level applies; the level alone is enough once it does not.
_CHATTER = (
    "All log messages before absl::InitializeLog()",
    "port.cc:",
    "cudart_stub.cc:",
    "cpu_feature_guard.cc:",
    "failed call to cuInit",
)


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Hold back what the process writes to its standard error, and let everything but the known chatter through."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        original = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            held.seek(0)
            for line in held.read().splitlines(keepends=True):
                if not any(chatter in line.decode(errors="replace") for chatter in _CHATTER):
                    os.write(2, line)
            os.close(original)


with _without_chatter():
    import keras
    import tensorflow as tf

    tf.constant(0.0)  # the first tensor sets up the devices, which is announced too

__all__ = ["keras", "make_deterministic", "own_random_numbers", "tf"]

_drawing = threading.Lock()


def make_deterministic(seed: int) -> None:
    """Make what follows in this process a function of the seed: operations of TensorFlow, order of sums.

    It sets the global random states of Python, NumPy and TensorFlow, as Keras offers no other way; what other threads
    draw from them too is no part of it (`own_random_numbers`).
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


@contextmanager
def own_random_numbers(seed: int) -> Iterator[None]:
    """Make the weights and dropout of layers that this thread builds a function of the seed alone.

    Keras (3.15) takes a seed for each of them from ``random.randint``, whose state the whole process shares: threads of
    Prefect, Dask and websockets draw from it at any moment.
    """
    own, building = random.Random(seed), threading.get_ident()  # noqa: S311 - nothing secret

    def randint(a: int, b: int) -> int:
        return own.randint(a, b) if threading.get_ident() == building else shared(a, b)

    with _drawing:
        shared, random.randint = random.randint, randint
        try:
            yield
        finally:
            random.randint = shared
