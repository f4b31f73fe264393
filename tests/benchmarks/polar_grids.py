"""What a polar grid costs and what a classification loses by it: bytes, speed of simulation, share of right patterns.

    python -m tests.benchmarks.polar_grids [--grids 1x360 2x72 …] [--train 3000] [--test 900] [--films FOLDER]

Patterns of `realistic.yaml` on a detector of 256 px of 0.01176 Å⁻¹, with other orientations for the test, at three
doses (counts in the centre of the brightest spot). Each pattern is the root of what exceeds the median of its ring, and
of that the size of each azimuthal order up to the 36th, so that turning the specimen changes nothing; scaled to 1. A
Gaussian kernel, its width the median distance, classifies them by ridge regression. Bytes are those of a pattern in
memory and, rounded and compressed, in a dataset. Patterns a second of one processor: blocks of a dataset.

``--films`` names a folder of raw scans ``film_<k>.hspy`` with ``truth/film_<k>_truth.npz``; interior positions are
classified by the same training, and truth serves for nothing else.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from difsims_core import load_spec
from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset.receipts import read_receipts
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.experiment.frames import blocks_of, read_block
from difsims_core.experiment.integrate.integrator import Integrator
from difsims_core.experiment.prepare import prepare_scan
from difsims_core.resources import specs_folder
from difsims_core.signal.polar_grid import PolarGrid
from difsims_core.simulation.simulator import Simulator
from difsims_core.storage.objects import open_store

GRIDS = ["1x360", "1x72", "2x180", "2x90", "2x72", "2x48", "2x36", "3x72", "3x60", "4x72", "4x36", "8x24"]
DOSES = (5.0, 20.0, 100.0)
ORDERS = 36
RIDGE = 1e-3
AT_ONCE = 256
FILM_PHASES = ("p4mbm_scaled_mixed_halide", "gratia_2h", "pbi2_2h")


def document(grid: tuple[int, int], n: int, dose: str, seed: int) -> SimulationSpec:
    changes = [
        f"n_patterns={n}", f"seed={seed}", "detector={size_px: 256, calibration_per_angstrom: 0.01176}",
        f"noise={{dose: {dose}, hot_pixel_probability: 0}}", "spots.sigma_px={uniform: [0.7, 2.0]}",
        f"output={{x_all: false, polar: {{annuli_per_radius: {grid[0]}, n_azimuths: {grid[1]}}}}}",
    ]  # fmt: skip
    return load_spec(specs_folder() / "realistic.yaml", changes=changes)


def simulated(spec: SimulationSpec) -> tuple[np.ndarray, np.ndarray, float]:
    """Return features and labels of all patterns of a document, and patterns a second of a processor."""
    simulator = Simulator.prepare(spec)
    simulator.block(0, 3, 1)
    found, labels, seconds = [], [], 0.0
    for start in range(0, spec.n_patterns, AT_ONCE):
        begun = time.process_time()
        block = simulator.block(start, min(start + AT_ONCE, spec.n_patterns), 1)
        seconds += time.process_time() - begun
        assert block.polar is not None
        found.append(features(block.polar))
        labels.append(block.y)
    return np.concatenate(found), np.concatenate(labels), spec.n_patterns / seconds


def features(polar: np.ndarray) -> np.ndarray:
    """Return (n, …) float32 of unit length that no turn about the beam changes."""
    polar = np.nan_to_num(polar)
    above = np.sqrt(np.maximum(polar - np.median(polar, axis=2, keepdims=True), 0))
    orders = np.abs(np.fft.rfft(above, axis=2))[..., : ORDERS + 1].reshape(len(polar), -1)
    return (orders / np.maximum(np.linalg.norm(orders, axis=1, keepdims=True), 1e-12)).astype(np.float32)


class KernelRidge:
    """Ridge regression of one-hot labels with a Gaussian kernel."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x = x
        squared = 2 - 2 * x @ x.T
        self.width = float(np.median(squared[np.triu_indices(len(x), 1)]))
        gram = np.exp(-squared.astype(np.float64) / self.width)
        gram[np.diag_indices(len(x))] += RIDGE * len(x)
        self.weights = cho_solve(cho_factor(gram), np.eye(y.max() + 1)[y])

    def classes(self, x: np.ndarray) -> np.ndarray:
        return (np.exp(-(2 - 2 * x @ self.x.T) / self.width) @ self.weights).argmax(axis=1)


def stored_bytes(grid: tuple[int, int]) -> float:
    """Return the bytes of a pattern in a dataset."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        plan = run_simulation(store, document(grid, 1024, "{log_uniform: [5, 100]}", 3)).plan
        receipts = read_receipts(store, plan)
        return sum(receipt.stored_bytes["polar/x"] for receipt in receipts.values()) / plan.n_patterns


class Film:
    """A raw scan with the phase of each interior position."""

    def __init__(self, path: Path) -> None:
        spec = PreprocessingSpec.model_validate({"phases": FILM_PHASES})
        self.prepared = prepare_scan(path, spec)
        truth = np.load(path.parent / "truth" / f"{path.stem}_truth.npz", allow_pickle=False)
        self.labels, self.interior = truth["label"], ~truth["boundary"] & (truth["label"] >= 0)

    def share_right(self, grid: tuple[int, int], classifier: KernelRidge) -> tuple[int, int]:
        """Return how many interior positions are classified rightly, and how many there are."""
        polar, survey = PolarGrid.over_crop(*grid), self.prepared.survey
        integrator = Integrator(survey.pixels.good, survey.geometry, polar.cells, polar)
        right = 0
        for positions, frames in self.blocks():
            found = integrator.integrate(frames, survey.centres(frames, positions)[0]).polar
            inside = self.interior[tuple(positions.T)]
            right += int((classifier.classes(features(found)) == self.labels[tuple(positions.T)])[inside].sum())
        return right, int(self.interior.sum())

    def blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for block in blocks_of(self.prepared.scan):
            yield block.positions(), read_block(self.prepared.scan, block, self.prepared.correct)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grids", nargs="+", default=GRIDS, help="annuli that make one radius x azimuths")
    parser.add_argument("--train", type=int, default=3000, help="patterns to train on")
    parser.add_argument("--test", type=int, default=900, help="patterns of each dose to test with")
    parser.add_argument("--films", type=Path, help="folder of raw scans with truth")
    arguments = parser.parse_args()
    films = [Film(path) for path in sorted(arguments.films.glob("film_*.hspy"))] if arguments.films else []
    error = 0.5 / arguments.test**0.5
    print(f"right at {', '.join(f'{dose:g}' for dose in DOSES)} counts (standard error at most {error:.3f})")
    print(f"{'grid':>10} {'kB':>7} {'stored':>7} {'a second':>9}  {'right':24} films")
    for text in arguments.grids:
        annuli, azimuths = map(int, text.split("x"))
        grid, polar = (annuli, azimuths), PolarGrid.over_crop(annuli, azimuths)
        x, y, rate = simulated(document(grid, arguments.train, "{log_uniform: [3, 300]}", 1))
        classifier = KernelRidge(x, y)
        right = []
        for dose in DOSES:
            tested, labels, _ = simulated(document(grid, arguments.test, f"{dose:g}", 2))
            right.append(float(np.mean(classifier.classes(tested) == labels)))
        counts = [film.share_right(grid, classifier) for film in films]
        name = f"{polar.n_radii} × {polar.n_azimuths}"
        shares = " ".join(f"{share:.3f}" for share in right)
        print(
            f"{name:>10} {4e-3 * polar.n_radii * polar.n_azimuths:7.1f} {1e-3 * stored_bytes(grid):7.1f} {rate:9,.0f}  "
            f"{shares:24} {' '.join(f'{hit / number:.3f}' for hit, number in counts)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
