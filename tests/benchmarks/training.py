"""Rate of training when profiles are streamed from Zarr, against the same profiles in memory.

    python -m tests.benchmarks.training [--patterns N] [--rounds R] [--batch-size B] [--store URL]

Both run in turn within one process on the same network; the ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time

import numpy as np

from difsims_core.config.learning import TrainingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.build import build
from difsims_core.dataset.open import open_simulation
from difsims_core.learn.backend import make_deterministic, tf
from difsims_core.learn.data.split import Part
from difsims_core.learn.data.tf_dataset import BatchFeed
from difsims_core.learn.data.training_data import load_training_data
from difsims_core.learn.networks import build_network
from difsims_core.storage.objects import open_store

_EPOCHS = 3  # of a round: as in a real training, the next pool is read while one is used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patterns", type=int, default=24_576)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch-size", type=int, default=TrainingSpec().batch_size)
    parser.add_argument("--store", help="where the dataset is built or found; default: a temporary folder")
    choices = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(choices.store or folder, choices.patterns, choices.rounds, choices.batch_size)


def compare(store_url: str, n_patterns: int, rounds: int, batch_size: int) -> None:
    store = open_store(store_url)
    simulation = open_simulation(build(store, SimulationSpec(n_patterns=n_patterns)), store)
    stream = load_training_data([simulation], TrainingSpec(batch_size=batch_size)).stream
    n, steps = stream.count(Part.TRAIN), stream.n_batches(Part.TRAIN)
    print(f"{n} training patterns of {n_patterns}, {stream.n_q} values each, batches of {batch_size}, large_filter")
    started = time.perf_counter()
    seen = sum(len(classes) for _, classes in stream.batches(Part.TRAIN, 0))
    assert seen == n
    print(f"reading and shuffling alone: {n / (time.perf_counter() - started):,.0f} patterns/s")

    make_deterministic(0)
    network = build_network("large_filter", (stream.n_q, 1), len(simulation.phases))
    network.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    x, y = (np.concatenate(arrays) for arrays in zip(*stream.batches(Part.TRAIN, 0), strict=True))
    memory = tf.data.Dataset.from_tensor_slices((x[..., None], y)).shuffle(n).batch(batch_size).prefetch(8).repeat()
    streaming = BatchFeed(stream).training()
    kinds = {"streaming": streaming, "in memory": memory.with_options(streaming.options())}
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(rounds + 1):  # the first warms up
        for kind, dataset in list(kinds.items())[:: 1 if number % 2 else -1]:
            started = time.perf_counter()
            network.fit(dataset, steps_per_epoch=steps, epochs=_EPOCHS, shuffle=False, verbose=0)
            if number:
                rates[kind].append(_EPOCHS * n / (time.perf_counter() - started))
    for kind, values in rates.items():
        print(f"{kind}: median {statistics.median(values):,.0f} patterns/s ({min(values):,.0f} … {max(values):,.0f})")
    ratios = [streamed / kept for streamed, kept in zip(rates["streaming"], rates["in memory"], strict=True)]
    print(f"streaming / in memory: median {statistics.median(ratios):.3f} ({min(ratios):.3f} … {max(ratios):.3f})")


if __name__ == "__main__":
    main()
