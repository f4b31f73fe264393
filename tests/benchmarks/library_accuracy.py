"""What a library of beam directions costs a classifier: the measure of its resolution.

    python -m tests.benchmarks.library_accuracy [--patterns 30000] [--scored 3000] [--resolutions 1 0.7] [--seeds 1]
        [--store FOLDER]

Patterns are those of realistic.yaml. Networks `large_filter` are trained on patterns of exact random directions, each
computed by the dynamical engine, and on as many drawn from libraries; all are scored on the same patterns of exact
directions, drawn by a seed of their own. Everything is the project's own: simulated into a store, trained, predicted.
A named store keeps what is done; started again, the command goes on from there. With several seeds each training is
done as often, which shows what part of a difference is chance.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from difsims_core.config.documents import load_spec
from difsims_core.config.learning import TrainingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.open import open_simulation
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.evaluate.classification import classification_scores
from difsims_core.learn.bundle import load_bundle
from difsims_core.learn.predict import predict_profiles
from difsims_core.learn.train import run_training
from difsims_core.storage.objects import ObjectStore, open_store

_DOCUMENT = Path("deployments/specs/realistic.yaml")
_SCORED_SEED = 977
_RESAMPLES = 2000


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--patterns", type=int, default=30_000)
    parser.add_argument("--scored", type=int, default=3_000)
    parser.add_argument("--resolutions", type=float, nargs="*", default=[1.0, 0.7])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--store", help="where all is kept; default: a temporary folder")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(open_store(asked.store or folder), asked.patterns, asked.scored, asked.resolutions, asked.seeds)


def measure(store: ObjectStore, n: int, n_scored: int, resolutions: list[float], n_seeds: int) -> None:
    """Train, score and print."""
    exact: dict[str, Any] = {"kind": "uniform"}
    sources = {"exact directions": exact} | {
        f"library of {resolution:g}°": {"kind": "library", "resolution_deg": resolution} for resolution in resolutions
    }
    scored = open_simulation(simulated(store, exact, n_scored, _SCORED_SEED), store)
    x, q, labels = (np.asarray(scored[f"1d/{name}"][...]) for name in ("x_px", "x_px_q_axis", "y_px"))
    print(f"{n} patterns a training, {n_scored} of exact directions scored, seed {_SCORED_SEED}; 95 % intervals over "
          "the scored patterns")  # fmt: skip
    hits: dict[str, np.ndarray] = {}
    for name, orientations in sources.items():
        begun = time.perf_counter()
        simulation = simulated(store, orientations, n, 10)
        made = time.perf_counter()
        parts = []
        for seed in range(n_seeds):
            spec = TrainingSpec(epochs=12, patience=3, evaluate=False, seed=seed)
            bundle = load_bundle(run_training(store, [simulation], spec).bundle.id, store)
            probabilities = predict_profiles(bundle, x, q)
            parts.append(probabilities.argmax(axis=1) == labels[:, 0])
            show(f"{name}, seed {seed}", classification_scores(probabilities, labels[:, 0], scored.phases), parts[-1])
        hits[name] = np.mean(parts, axis=0)
        trained = time.perf_counter() - made
        print(f"  {made - begun:.0f} s to simulate, {trained:.0f} s to train, less where the store held it", flush=True)
    base = hits.pop("exact directions")
    for name, found in hits.items():
        low, high = interval(found - base)
        print(f"{name} minus exact directions: {100 * (found - base).mean():+.2f} % ({100 * low:+.2f} … "
              f"{100 * high:+.2f})")  # fmt: skip


def simulated(store: ObjectStore, orientations: Mapping[str, Any], n: int, seed: int) -> str:
    """Return the id of a dataset of realistic patterns."""
    changes = {"orientations": dict(orientations), "n_patterns": n, "seed": seed}
    document = load_spec(_DOCUMENT).to_document() | changes
    return run_simulation(store, SimulationSpec.model_validate(document)).id


def show(name: str, scores: Mapping[str, Any], hits: np.ndarray) -> None:
    """Print accuracy with its interval, recall of each phase, calibration error."""
    low, high = interval(hits.astype(float))
    recalls = ", ".join(f"{phase} {of['recall']:.3f}" for phase, of in scores["per_class"].items())
    print(f"{name}: accuracy {scores['accuracy']:.4f} ({low:.4f} … {high:.4f}); {recalls}; calibration error "
          f"{scores['expected_calibration_error']:.3f}", flush=True)  # fmt: skip


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of a mean, by patterns drawn again."""
    chance = np.random.default_rng(0)
    means = [values[chance.integers(0, len(values), len(values))].mean() for _ in range(_RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


if __name__ == "__main__":
    main()
