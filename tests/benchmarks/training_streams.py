"""Rate of training on stored and on fresh patterns, against the same patterns in memory; and what accuracy they reach.

    python -m tests.benchmarks.training_streams [--patterns N] [--rounds R] [--minutes M] [--spec S.yaml] [--store URL]

All run in turn within one process on the same network; ratios are medians of the rounds' ratios. With ``--minutes``
two networks are trained for as many minutes each, one on a stored dataset again and again, one on fresh patterns, and
scored on the same patterns, which neither has seen: their time is that of all threads of this process, simulation of
fresh patterns included, so that other work on the machine matters little; the dataset comes for nothing.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np

from difsims_core.config.documents import load_spec
from difsims_core.config.learning import TrainingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.open import open_simulation
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.learn.backend import keras, make_deterministic, tf
from difsims_core.learn.data.split import Part
from difsims_core.learn.data.streamed_simulation import StreamedSimulation
from difsims_core.learn.data.streams import Stream
from difsims_core.learn.data.tf_dataset import BatchFeed
from difsims_core.learn.data.training_data import load_training_data, streamed_training_data
from difsims_core.learn.networks import build_network
from difsims_core.storage.objects import ObjectStore, open_store

_EPOCHS = 3  # of a round: as in a real training, the next patterns are made while some are used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patterns", type=int, default=24_576)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=0.0, help="of each training; 0: rates alone")
    parser.add_argument("--network", default="large_filter")
    parser.add_argument("--batch-size", type=int, default=TrainingSpec().batch_size)
    parser.add_argument("--spec", default="reference.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the simulation")
    parser.add_argument("--store", help="where the dataset is built or found; default: a temporary folder")
    choices = parser.parse_args()
    spec = load_spec(choices.spec, changes=[f"n_patterns={choices.patterns}", "output.x_all=false", *choices.set])
    training = TrainingSpec(batch_size=choices.batch_size, network=choices.network)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(choices.store or folder)
        streams = streams_of(store, spec, training)
        if choices.rounds:
            compare_rates(streams, choices.rounds, training)
        if choices.minutes:
            compare_accuracy(streams, choices.minutes, training)


def streams_of(store: ObjectStore, spec: SimulationSpec, training: TrainingSpec) -> dict[str, Stream]:
    """Return the stored and the fresh patterns of a document."""
    simulation = open_simulation(run_simulation(store, spec).id, store)
    fresh = streamed_training_data(store, StreamedSimulation.of(spec, training), training)
    stored = load_training_data([simulation], training)
    n = stored.stream.count(Part.TRAIN)
    print(f"{n} training patterns of {spec.n_patterns}, batches of {training.batch_size}, {training.network}")
    streams = {"stored": stored.stream, "fresh": fresh.stream}
    for kind, stream in streams.items():
        for _ in stream.batches(Part.TRAIN, 0):
            pass
        started, spent = time.perf_counter(), time.process_time()
        assert sum(len(classes) for _, classes in stream.batches(Part.TRAIN, 1)) == n
        wall, busy = time.perf_counter() - started, time.process_time() - spent
        print(f"{kind} patterns alone: {n / wall:,.0f}/s, {1e6 * busy / n:.0f} µs of a processor each", flush=True)
    return streams


def compare_rates(streams: dict[str, Stream], rounds: int, training: TrainingSpec) -> None:
    """Print rates of training, and their ratios to that from memory."""
    stored = streams["stored"]
    n, steps = stored.count(Part.TRAIN), stored.n_batches(Part.TRAIN)
    network = _network(stored, training)
    x, y = (np.concatenate(arrays) for arrays in zip(*stored.batches(Part.TRAIN, 0), strict=True))
    memory = tf.data.Dataset.from_tensor_slices((x[..., None], y)).shuffle(n).batch(training.batch_size).prefetch(8)
    kinds = {kind: BatchFeed(stream).training() for kind, stream in streams.items()}
    kinds["in memory"] = memory.repeat().with_options(kinds["stored"].options())
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    busy: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(rounds + 1):  # the first warms up
        for kind, dataset in list(kinds.items())[:: 1 if number % 2 else -1]:
            started, spent = time.perf_counter(), time.process_time()
            network.fit(dataset, steps_per_epoch=steps, epochs=_EPOCHS, shuffle=False, verbose=0)
            if number:
                rates[kind].append(_EPOCHS * n / (time.perf_counter() - started))
                busy[kind].append(1e6 * (time.process_time() - spent) / (_EPOCHS * n))
    for kind, values in rates.items():
        print(
            f"{kind}: median {statistics.median(values):,.0f} patterns/s ({min(values):,.0f} … {max(values):,.0f}), "
            f"{statistics.median(busy[kind]):.0f} µs of a processor each"
        )
    for kind in streams:
        ratios = [one / kept for one, kept in zip(rates[kind], rates["in memory"], strict=True)]
        spent = [kept / one for one, kept in zip(busy[kind], busy["in memory"], strict=True)]
        print(
            f"{kind} / in memory: median {statistics.median(ratios):.3f} ({min(ratios):.3f} … {max(ratios):.3f}); "
            f"by the time of processors {statistics.median(spent):.3f}",
            flush=True,
        )


def compare_accuracy(streams: dict[str, Stream], minutes: float, training: TrainingSpec) -> None:
    """Print the accuracy on held-out patterns after equal times of processors."""
    x, y = (np.concatenate(arrays) for arrays in zip(*streams["stored"].batches(Part.TEST), strict=True))
    print(f"accuracy on {len(y):,} patterns never trained on, after so many minutes of processor time")
    for kind, stream in streams.items():
        network, batches = _network(stream, training), _endless(stream)
        spent, seen, told, marks = 0.0, 0, [], [minutes * part for part in (0.125, 0.25, 0.5, 1.0)]
        while marks:
            started = time.process_time()
            for patterns, classes in (next(batches) for _ in range(64)):
                network.train_on_batch(patterns[..., None], classes)
                seen += len(classes)
            spent += time.process_time() - started
            if spent >= 60 * marks[0]:
                found = network.predict(x[..., None], batch_size=1024, verbose=0).argmax(axis=1)
                told.append(f"{marks.pop(0):.2f}: {np.mean(found == y):.4f}")
        print(f"{kind}: {'  '.join(told)}  ({seen:,} patterns trained on)", flush=True)


def _endless(stream: Stream) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for epoch in count():
        yield from stream.batches(Part.TRAIN, epoch)


def _network(stream: Stream, training: TrainingSpec) -> Any:
    make_deterministic(0)
    network: keras.Model = build_network(
        training.network, (*stream.input_shape, 1), len(stream.class_counts(Part.TEST))
    )
    network.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    return network


if __name__ == "__main__":
    main()
