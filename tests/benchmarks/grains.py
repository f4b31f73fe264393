"""How well the grains of scans with truth are found, and what their pixels know together.

    python -m tests.benchmarks.grains STORE MODEL --truth FOLDER [--scans NAME …] [--axis] [--speed]

STORE holds the model and the scans of ``python -m tests.development.scans FOLDER``, preprocessed; ``--truth`` is
``FOLDER/truth``. Pixels on boundaries are left out. Of each scan: the adjusted Rand index, how pure the grains are,
crystalline and amorphous pixels in grains; then how many pixels are right, and the calibration error, by themselves, by
the mean pattern of their grain, by the geometric mean of its pixels, and by both; the highest probability of amorphous
pixels, by themselves and by both; and how many of all pixels without a grain are amorphous.

``--axis`` reads each scan with its axis stretched, and with the true one: what a better calibration would be worth.
``--speed`` measures how much time of a processor the grains of a scan 512 pixels wide take. Every run is a scoring.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from difsims_core.evaluate.classification import classification_scores, labels_in_phases
from difsims_core.experiment.write.open import open_experiment
from difsims_core.learn.bundle import ModelBundle, load_bundle
from difsims_core.learn.classify import classify, prepare_patterns
from difsims_core.learn.measured_scan import MeasuredScan, Runs, open_scan
from difsims_core.learn.scan.grains import Grains, GrainSearch
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import read_truth
from difsims_core.storage.objects import ObjectStore, open_store
from tests.learn.scan.agreement import agreement, purity

_STRETCHES = (-0.015, -0.01, -0.005, 0.0, 0.005, 0.01, 0.015)
_WIDE, _TALL = 512, 32


def searched(scan: MeasuredScan, of_pixels: np.ndarray, usable: np.ndarray, of_means: Callable) -> Grains:
    """Return the grains of a scan and what ``of_means`` and the pixels (n, k) say of them."""
    search = GrainSearch(scan.shape, of_pixels.shape[1], of_means)
    for pixels, patterns in scan.runs():
        search.add(patterns, usable[pixels], of_pixels[pixels])
    return search.found()


def show_scan(bundle: ModelBundle, scan: MeasuredScan, name: str, truth_file: Path) -> np.ndarray:
    """Print the rows of a scan, and return its numbers."""
    k, truth = len(bundle.phases), read_truth(truth_file)
    label, inside = labels_in_phases(truth, bundle.phases).ravel(), np.ones(truth.label.size, bool)
    inside = inside if truth.boundary is None else ~truth.boundary.ravel()
    crystal, amorphous = inside & (label >= 0), inside & (truth.label.ravel() < 0)
    with np.load(truth_file, allow_pickle=False) as arrays:
        frame = arrays["frame"].ravel()
    found = classify(bundle, scan.runs(), scan.shape, scan.x, scan.unusable)
    pixels, usable = found.answer.probabilities.reshape(-1, k), ~found.invalid.ravel()

    def of_means(patterns: np.ndarray) -> np.ndarray:
        return bundle.classifier.answer(prepare_patterns(bundle, patterns, scan.x)[0]).probabilities

    both = searched(scan, pixels, usable, of_means)
    alone = searched(scan, pixels, usable, lambda means: np.full((len(means), k), np.nan))
    means = searched(scan, np.full_like(pixels, 1 / k), usable, of_means)
    number = both.number.ravel()
    kept = crystal & (number >= 0)
    said = [pixels, *(item.probabilities.reshape(-1, k) for item in (means, alone, both))]
    scores = [classification_scores(item[crystal], label[crystal], bundle.phases) for item in said]
    row = [agreement(frame[crystal], number[crystal]), purity(frame[kept], number[kept]), kept.sum() / crystal.sum()]
    row += [(number[amorphous] >= 0).mean()] + [item["accuracy"] for item in scores]
    row += [item["expected_calibration_error"] for item in scores]
    row += [said[i][amorphous].max(axis=1).mean() for i in (0, 3)]
    row.append((truth.label.ravel()[usable & (number < 0)] < 0).mean())
    print(f"{name:14} " + " ".join(f"{value:6.3f}" for value in row), flush=True)
    return np.array(row)


def stretched(scan: MeasuredScan, part: float) -> Callable[[], Runs]:
    """Return the runs of a scan whose axis is longer by a part than it says."""
    at = np.interp(scan.x / (1 + part), scan.x, np.arange(len(scan.x)))
    low = np.minimum(at.astype(int), len(scan.x) - 2)
    weight = (at - low).astype(np.float32).reshape(-1, *(1,) * (0 if scan.x is scan.profile_x else 1))

    def runs() -> Runs:
        for pixels, patterns in scan.runs():
            yield pixels, patterns[:, low] * (1 - weight) + patterns[:, low + 1] * weight

    return runs


def show_axis(bundle: ModelBundle, scan: MeasuredScan, name: str, truth_file: Path, said: float) -> np.ndarray:
    """Print how many pixels are right, alone and by grains, by axis: stretched, and the true one."""
    truth = read_truth(truth_file)
    label, k = labels_in_phases(truth, bundle.phases).ravel(), len(bundle.phases)
    crystal = (label >= 0) & (True if truth.boundary is None else ~truth.boundary.ravel())
    with np.load(truth_file, allow_pickle=False) as arrays:
        true = float(arrays["calibration_per_angstrom"]) / said - 1
    right = []
    for part in (*_STRETCHES, true):
        found = classify(bundle, stretched(scan, part)(), scan.shape, scan.x, scan.unusable, grains=True)
        claims = (found.answer.probabilities, found.grains.probabilities)
        right.append([(item.reshape(-1, k).argmax(axis=1) == label)[crystal].mean() for item in claims])
    show_right(name, f"true: {100 * true:+.2f} %", right)
    return np.array(right)


def show_right(name: str, true: str, right: Sequence[Sequence[float]]) -> None:
    """Print the rows of a scan."""
    head = " ".join(f"{100 * part:+6.1f}" for part in _STRETCHES)
    print(f"{name:14} axis, %  {head}    {true}")
    for what, values in zip(("pixels", "grains"), zip(*right, strict=True), strict=True):
        print(f"{'':14} {what:8} " + " ".join(f"{value:6.3f}" for value in values), flush=True)


def show_speed(scan: MeasuredScan) -> None:
    """Print the time of a processor that the grains of a wide scan take, without the classifier."""
    patterns = np.concatenate([part for _, part in scan.runs()])
    patterns = patterns.reshape(*scan.shape, *patterns.shape[1:])
    wide = np.tile(patterns, (1, -(-_WIDE // scan.shape[1]), *(1,) * (patterns.ndim - 2)))[:_TALL, :_WIDE]
    for _ in range(2):  # the first compiles
        search = GrainSearch(wide.shape[:2], 3, lambda means: np.full((len(means), 3), 1 / 3))
        start = time.process_time()
        for row in wide:
            search.add(row, np.ones(len(row), bool), np.full((len(row), 3), 1 / 3, np.float32))
        n = int(search.found().number.max()) + 1
        rate = wide.shape[0] * wide.shape[1] / (time.process_time() - start)
    print(f"{n} grains, {rate:,.0f} pixels a second of one processor: 512 × 512 in {_WIDE * _WIDE / rate:.0f} s")


def scans_of(store: ObjectStore, truth: Path, chosen: list[str] | None) -> list[str]:
    """Return the scans with truth that a store holds, or those that were asked for."""
    known = [file.name.removesuffix("_truth.npz") for file in sorted(truth.glob("*_truth.npz"))]
    return chosen or [name for name in known if store.exists(layout.experiment_profiles(name))]


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store")
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--scans", nargs="+", metavar="NAME", help="default: all with truth that the store holds")
    parser.add_argument("--axis", action="store_true")
    parser.add_argument("--speed", action="store_true")
    asked = parser.parse_args()
    store = open_store(asked.store)
    bundle = load_bundle(asked.model, store)
    scans = {
        name: open_scan(store.url(layout.experiment_profiles(name)), bundle.input)
        for name in scans_of(store, asked.truth, asked.scans)
    }
    files = {name: asked.truth / f"{name}_truth.npz" for name in scans}
    if asked.speed:
        show_speed(next(iter(scans.values())))
    elif asked.axis:
        said = {name: open_experiment(name, store).attrs["calibration_per_angstrom"] for name in scans}
        right = [show_axis(bundle, scan, name, files[name], said[name]) for name, scan in scans.items()]
        show_right("mean", "true", np.mean(right, axis=0).tolist())
    else:
        print(f"{bundle.id}\n{'':14} {'grains':28}|  right: pixel mean  pixels both | ECE, the same")
        print(f"{'':14}   Rand   pure cryst. amorph. {'':53} | amorphous    | alone")
        rows = [show_scan(bundle, scan, name, files[name]) for name, scan in scans.items()]
        print(f"{'mean':14} " + " ".join(f"{value:6.3f}" for value in np.mean(rows, axis=0)))


if __name__ == "__main__":
    main()
