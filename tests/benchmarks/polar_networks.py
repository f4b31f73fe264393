"""The networks of polar patterns side by side: how right they are after the same patterns, and patterns a second.

    python -m tests.benchmarks.polar_networks [--patterns 30000] [--epochs 2] [--scored 3000] [NETWORK…]

Patterns like those of `realistic.yaml`, reduced, drawn from libraries of beam directions 1° apart, are simulated once
and held in memory. Every network is trained on them in the same order and scored on patterns that it has not seen, of
exact directions and other physics: absorption, other displacements, calibration and doses. `plain` is a network of
ordinary convolutions, 300 000 weights, that owes nothing to symmetry. Rates are patterns in the time of two processors,
so that other work on the machine counts little.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from difsims_core import load_spec, simulate
from difsims_core.config.documents import make_spec
from difsims_core.config.learning import TrainingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.evaluate.classification import ClassificationTally
from difsims_core.families import POLAR_NETWORKS
from difsims_core.learn.backend import keras
from difsims_core.learn.classifiers.base import Recipe
from difsims_core.learn.classifiers.keras_network import KerasNetwork
from difsims_core.learn.data.pattern_stream import PatternSource, PatternStream
from difsims_core.resources import specs_folder

_BLOCK = 2_000
_OTHER_PHYSICS: dict[str, Any] = {
    "orientations": {"kind": "uniform"},
    "intensities": {"model": "bloch", "absorption": 0.1, "rms_displacement_angstrom": {"uniform": [0.07, 0.10]}},
    "lattice_scale": {"uniform": [0.98, 1.02]},
    "calibration_scale": {"uniform": [0.995, 1.005]},
    "noise": {"dose": {"log_uniform": [100, 10000]}},
}


def plain(input_shape: tuple[int, ...], n_classes: int) -> keras.Model:
    """Build a network of ordinary convolutions around the circle."""
    layers = keras.layers
    inputs: Any = keras.Input(input_shape)
    features = inputs
    for filters, (radii, azimuths), pool in (
        (16, (5, 5), (2, 2)), (32, (3, 3), (2, 1)), (48, (3, 3), (2, 2)), (64, (3, 3), None),
        (128, (9, 1), None), (128, (1, 9), None),
    ):  # fmt: skip
        around = azimuths // 2
        if around:
            ends = [features[:, :, -around:], features, features[:, :, :around]]
            features = layers.Concatenate(axis=2)(ends)
        if radii in (3, 5):
            features = layers.ZeroPadding2D((radii // 2, 0))(features)
        features = layers.Conv2D(filters, (radii, azimuths), activation="relu")(features)
        features = features if pool is None else layers.MaxPooling2D(pool)(features)
    pooled = layers.Concatenate()([layers.GlobalMaxPooling2D()(features), layers.GlobalAveragePooling2D()(features)])
    dense = layers.Dense(128, activation="relu")(pooled)
    return keras.Model(inputs, layers.Dense(n_classes, activation="softmax", dtype="float32")(dense))


def patterns_of(n: int, seed: int, **changes: Any) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Simulate polar patterns (n, n_q, n_φ), their labels (n,) and the names of the classes."""
    document = load_spec(specs_folder() / "realistic.yaml").to_document()
    document["orientations"] = {"kind": "library", "resolution_deg": 1.0}
    document |= {"n_patterns": n, "seed": seed, "output": {"x_all": False, "polar": {}}, **changes}
    spec = make_spec(document, SimulationSpec)
    blocks = [simulate(spec, start, min(start + _BLOCK, n)) for start in range(0, n, _BLOCK)]
    polar = [block.polar for block in blocks if block.polar is not None]
    return np.concatenate(polar), np.concatenate([block.y.ravel() for block in blocks]), spec.class_names


def main() -> None:
    """Print one line a network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("networks", nargs="*", default=["plain", *POLAR_NETWORKS.names()])
    parser.add_argument("--patterns", type=int, default=30_000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--scored", type=int, default=3_000)
    chosen = parser.parse_args()
    POLAR_NETWORKS.register("plain")(plain)
    x, y, names = patterns_of(chosen.patterns, 1)
    seen, truth, _ = patterns_of(chosen.scored, 77, **_OTHER_PHYSICS)
    print(f"{len(x):,} patterns, {chosen.epochs} epochs; scored on {len(seen):,} of other physics", flush=True)
    print("network               weights  right  log loss    ECE  trained/s  predicted/s")
    source = PatternSource("memory", x, y, len(x), np.arange(len(names)))
    for name in chosen.networks:
        training = TrainingSpec(network=name, epochs=chosen.epochs, patience=chosen.epochs, held_out_fraction=0.02)
        stream = PatternStream((source,), training.held_out_fraction, training.seed, training.batch_size)
        start = time.process_time()
        fitted = KerasNetwork.fit(stream, Recipe(training, x.shape[1:], len(names)))
        trained = 2 * chosen.epochs * len(x) / (time.process_time() - start)
        classifier = fitted.classifier
        classifier.predict(seen[:2048])  # what is compiled once
        start = time.process_time()
        probabilities = classifier.predict(seen)
        predicted = 2 * len(seen) / (time.process_time() - start)
        scores = ClassificationTally.start(names).add(probabilities, truth.astype(np.int64)).finalise()
        weights = sum(values.size for values in classifier.save().values())
        print(
            f"{name:20s} {weights:9,d} {scores['accuracy']:6.3f} {scores['log_loss']:9.3f} "
            f"{scores['expected_calibration_error']:6.3f} {trained:10,.0f} {predicted:12,.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
