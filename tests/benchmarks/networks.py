"""Networks of profiles side by side: accuracy on fresh patterns against the time of processors that training took.

    python -m tests.benchmarks.networks [large_filter residual_1d residual_1d:blocks=2 …] [--minutes 1] [--spec S.yaml]

Patterns are those of realistic.yaml, dynamical ones out of libraries, with ``--resolution`` degrees between directions.
All networks see the same patterns in the same order, each of them once; 12 % are never trained on. Time is that of all
threads of this process, so that other work on the machine matters little; of training alone, simulation not counted.
"""

from __future__ import annotations

import argparse
import tempfile
import time

import numpy as np

from difsims_core.config.documents import load_spec
from difsims_core.config.learning import TrainingSpec
from difsims_core.dataset.libraries.source import StoredLibraries
from difsims_core.learn.backend import keras, make_deterministic
from difsims_core.learn.fitting.optimiser import optimiser_of
from difsims_core.learn.networks import build_chosen
from difsims_core.simulation.simulator import Simulator

_BLOCK = 8192


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=["large_filter", "residual_1d"])
    parser.add_argument("--patterns", type=int, default=60_000)
    parser.add_argument("--minutes", type=float, default=1.0, help="of processor time for each network")
    parser.add_argument("--resolution", type=float, default=2.0)
    parser.add_argument("--spec", default="realistic.yaml")
    parser.add_argument("--store", help="where libraries lie or go; default: a temporary folder")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the training")
    choices = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(choices, choices.store or folder)


def run(choices: argparse.Namespace, store: str) -> None:
    """Simulate the patterns and compare the networks on them."""
    changes = [f"orientations.resolution_deg={choices.resolution:g}", "n_patterns=10000000000", "seed=77"]
    spec = load_spec(choices.spec, changes=changes)
    simulator = Simulator.prepare(spec, StoredLibraries(store))
    started = time.perf_counter()
    made = [simulator.block(at, at + _BLOCK) for at in range(0, choices.patterns, _BLOCK)]
    x, y = (np.concatenate([getattr(one, name) for one in made]) for name in ("x_px", "y"))
    print(f"{len(y):,} patterns of {', '.join(spec.class_names)} in {time.perf_counter() - started:.0f} s", flush=True)
    held = len(y) // 8
    print("network                             weights   patterns/s   accuracy after processor minutes", flush=True)
    for text in choices.networks:
        compare(text, (x[held:], y[held:]), (x[:held], y[:held]), choices.minutes, choices.set)


def compare(text: str, training: tuple, test: tuple, minutes: float, changes: list[str]) -> None:
    """Print one line: how accuracy on the test part grows with the time of processors."""
    name, _, chosen = text.partition(":")
    parameters = dict(item.split("=") for item in chosen.split(",") if item)
    parameters = {key: float(value) if "." in value else int(value) for key, value in parameters.items()}
    spec = TrainingSpec.model_validate(
        {
            "network": name,
            "epochs": 1000,
            **{key: _value(value) for key, _, value in (c.partition("=") for c in changes)},
        }
    )
    make_deterministic(0)
    x, y = training
    network = build_chosen(name, (x.shape[1], 1), int(y.max()) + 1, parameters)
    steps = 256
    network.compile(optimiser_of(spec, steps), "sparse_categorical_crossentropy", jit_compile=False)
    spent, at, told, trained = 0.0, 0, [], 0
    network.fit(x[: spec.batch_size, :, None], y[: spec.batch_size], verbose=0)  # builds the graph
    marks = [minutes * part for part in (0.25, 0.5, 1.0)]
    rows = steps * spec.batch_size
    while marks:
        if at + rows > len(y):
            at = 0
        started = time.process_time()
        network.fit(x[at : at + rows, :, None], y[at : at + rows], batch_size=spec.batch_size, shuffle=False, verbose=0)
        spent += time.process_time() - started
        at, trained = at + rows, trained + rows
        if spent >= 60 * marks[0]:
            told.append(f"{marks.pop(0):.2f}: {_accuracy(network, *test):.4f}")
    rate = trained / spent
    print(f"{text:34s} {network.count_params():9,} {rate:9,.0f}     {'  '.join(told)}", flush=True)


def _accuracy(network: keras.Model, x: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean(network.predict(x[..., None], batch_size=1024, verbose=0).argmax(axis=1) == y))


def _value(text: str) -> float | int | str:
    try:
        return float(text) if "." in text or "e" in text else int(text)
    except ValueError:
        return text


if __name__ == "__main__":
    main()
