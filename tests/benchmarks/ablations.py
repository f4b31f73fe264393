"""What each part of the simulation is worth: networks trained without it, scored on scans of other physics.

    python -m tests.benchmarks.ablations STORE --truth FOLDER [--patterns 40000] [--seeds 3] [--only NAME …]
    python -m tests.benchmarks.ablations STORE --truth FOLDER --numbers polar_harmonics=30000,300000 … [--plot FILE.png]

STORE holds the scans of ``python -m tests.development.scans FOLDER``, preprocessed, and keeps the libraries. Each
network is `polar_harmonics` (``--network`` names another), trained on as many fresh patterns of `polar.yaml` with one
thing changed, every pattern seen once, and scored on the pixels of crystals off boundaries, scan by scan; the mean is
that of scans. ``--numbers`` compares numbers of patterns instead, of one network or several, and ``--plot`` draws them.
Seconds are those of all threads of the process. ``--first-seed`` tells where seeds begin, so that processes share them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from difsims_core import load_spec
from difsims_core.config.documents import make_spec
from difsims_core.config.learning import TrainingSpec
from difsims_core.config.pipeline import PipelineSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.evaluate.classification import labels_in_phases
from difsims_core.learn.classifiers.base import Classifier, ClassifierInput, Recipe
from difsims_core.learn.classifiers.keras_network import KerasNetwork
from difsims_core.learn.data.streamed_simulation import StreamedSimulation
from difsims_core.learn.data.training_data import streamed_training_data
from difsims_core.learn.measured_scan import open_scan
from difsims_core.resources import specs_folder
from difsims_core.signal.preprocess import preprocess_measured
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import Truth, read_truth
from difsims_core.storage.objects import ObjectStore, open_store

_HELD_OUT = 0.02
CHANGES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "dose from 20": {"noise": {"dose": {"log_uniform": [20, 100_000]}}},
    "kinematical": {"intensities": None, "diffraction": {"debye_waller": {"Pb": 1.0, "I": 1.0, "C": 1.0, "N": 1.0}}},
    "random intensities": {"intensities": {"model": "random"}},
    "no removed spots": {"spots": {"removal": None}},
    "no overlap": {"overlap": None},
    "no background": {"background": None, "inelastic": None},
    "no amorphous ring": {"amorphous_ring": None},
    "no distortion": {"distortion": None},
    "calibration exact": {"calibration_scale": 1.0},
    "calibration ± 2 %": {"calibration_scale": {"uniform": [0.98, 1.02]}},
    "lattice scale exact": {"lattice_scale": 1.0},
    "lattice scale ± 1.5 %": {"lattice_scale": {"uniform": [0.985, 1.015]}},
    "sharp spots alone": {"spots": {"sigma_px": {"uniform": [1.0, 2.0]}}},
    "thin crystals alone": {"diffraction": {"thickness_angstrom": {"uniform": [60, 200]}}},
    "atoms at rest": {"intensities": {"rms_displacement_angstrom": 0.0}},
    "directions 1.4° apart": {"orientations": {"resolution_deg": 1.4}},
}


def main() -> None:
    """Print one line a network, and the means over seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store")
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--spec", default=str(specs_folder() / "polar.yaml"))
    parser.add_argument("--network", default="polar_harmonics")
    parser.add_argument("--patterns", type=int, default=40_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--only", nargs="*", default=list(CHANGES))
    parser.add_argument("--numbers", nargs="*", type=_numbers, default=[])
    chosen = parser.parse_args()
    store, recipe = open_store(chosen.store), load_spec(chosen.spec, PipelineSpec)
    asked = recipe.simulation
    runs = [Run(name, _training(recipe, chosen.network), CHANGES[name], chosen.patterns) for name in chosen.only]
    if chosen.numbers:
        runs = [
            Run(f"{network} {n:,}", _training(recipe, network), {}, n) for network, each in chosen.numbers for n in each
        ]
    scans = {one.input: Scans.read(store, one.input, chosen.truth) for one in runs}
    names = list(scans[runs[0].input].patterns)
    print(f"{'':28}{'mean':>7}  " + " ".join(f"{name[-13:]:>13}" for name in names) + "   amorphous  seconds")
    found: dict[str, list[np.ndarray]] = {one.name: [] for one in runs}
    for seed in range(chosen.first_seed, chosen.first_seed + chosen.seeds):
        for one in runs:
            begun = time.process_time()
            spec = changed(asked, one.changes, one.n, seed)
            classifier, q = train(store, spec, one.training.model_copy(update={"seed": seed}))
            right, sure = scans[one.input].score(classifier, q, spec)
            found[one.name].append(right)
            cells = " ".join(f"{share:13.3f}" for share in right)
            print(
                f"{one.name:28}{right.mean():7.3f}  {cells} {sure:11.2f} {time.process_time() - begun:8.0f}", flush=True
            )
    print(f"\n{'':28}{'mean':>7} {'of seeds':>9}")
    for name, each in found.items():
        means = np.mean(each, axis=1)
        spread = f"± {means.std(ddof=1):.3f}" if len(means) > 1 else ""
        print(f"{name:28}{means.mean():7.3f} {spread:>9}")
    if chosen.plot is not None:
        plot(chosen.plot, [(one.training.network, one.n, np.array(found[one.name])) for one in runs])


@dataclass(frozen=True)
class Run:
    """A network, what is changed of the document that it is trained by, and how many patterns it sees."""

    name: str
    training: TrainingSpec
    changes: Mapping[str, Any]
    n: int

    @property
    def input(self) -> ClassifierInput:
        """What the network takes."""
        return KerasNetwork.input_of(self.training)


def plot(path: Path, found: Sequence[tuple[str, int, np.ndarray]]) -> None:
    """Draw what part of pixels is right, (seeds, scans), over the number of patterns of each network."""
    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.subplots()
    for place, network in enumerate(dict.fromkeys(network for network, _, _ in found)):
        numbers = [n for name, n, _ in found if name == network]
        rights = np.stack([right for name, _, right in found if name == network])
        axes.semilogx(numbers, rights.mean(axis=1), color=f"C{place}", linewidth=0.5, alpha=0.5)
        axes.semilogx(numbers, rights.mean(axis=2), "o", color=f"C{place}", markersize=3)
        axes.semilogx(numbers, rights.mean(axis=(1, 2)), color=f"C{place}", label=network)
    axes.set(xlabel="patterns, each seen once", ylabel="part of pixels that are right", ylim=(None, 1))
    axes.legend(loc="lower right", fontsize="x-small", title="mean of scans, dots: seeds, thin: scans")
    figure.savefig(path, dpi=150)


def _numbers(text: str) -> tuple[str, list[int]]:
    network, _, numbers = text.partition("=")
    return network, [int(number) for number in numbers.split(",")]


def _training(recipe: PipelineSpec, network: str) -> TrainingSpec:
    """Return how a network is trained: as the recipe's own, or as any other of one epoch."""
    own = recipe.training
    if not isinstance(own, TrainingSpec) or own.network != network:
        own = TrainingSpec(network=network, schedule="cosine", clip_norm=1.0)
    return own.model_copy(update={"epochs": 1, "held_out_fraction": _HELD_OUT})


def changed(spec: SimulationSpec, changes: Mapping[str, Any], n: int, seed: int) -> SimulationSpec:
    """Return a document with some values of its sections changed."""
    document = spec.to_document()
    for key, value in changes.items():
        whole = not isinstance(value, dict) or not isinstance(document.get(key), dict) or "uniform" in value
        document[key] = value if whole or "model" in value else {**document[key], **value}
    return make_spec(document | {"n_patterns": n, "seed": 1000 + seed}, SimulationSpec)


def train(store: ObjectStore, spec: SimulationSpec, training: TrainingSpec) -> tuple[Classifier[Any], np.ndarray]:
    """Return a classifier trained on fresh patterns, and its q axis."""
    data = streamed_training_data(store, StreamedSimulation.of(spec, training), training)
    fitted = KerasNetwork.fit(data.stream, Recipe(training, data.stream.input_shape, len(data.phases)))
    return fitted.classifier, data.q_axis


@dataclass(frozen=True)
class Scans:
    """Patterns of scans with truth: of crystals, off boundaries, and of what is amorphous.

    Attributes
    ----------
    patterns : mapping of str to (q, patterns, truth, usable)
        By the name of the scan.
    """

    patterns: Mapping[str, tuple[np.ndarray, np.ndarray, Truth, np.ndarray]]

    @classmethod
    def read(cls, store: ObjectStore, wanted: ClassifierInput, folder: Path) -> Scans:
        """Read all scans of a store whose truth is in a folder."""
        found = {}
        for file in sorted(folder.glob("*_truth.npz")):
            name = file.name.removesuffix("_truth.npz")
            scan = open_scan(store.url(layout.experiment_profiles(name)), wanted)
            patterns = np.concatenate([some for _, some in scan.runs()])
            found[name] = (scan.x, patterns, read_truth(file), ~scan.unusable.reshape(-1))
        return cls(found)

    def score(self, classifier: Classifier[Any], q: np.ndarray, spec: SimulationSpec) -> tuple[np.ndarray, float]:
        """Return what part of each scan's pixels is right, and how sure the classifier is of amorphous ones."""
        phases, sqrt = spec.class_names, spec.postprocessing.sqrt
        right, sure = [], []
        for x, patterns, truth, usable in self.patterns.values():
            label = labels_in_phases(truth, phases).reshape(-1)
            off = usable if truth.boundary is None else usable & ~truth.boundary.reshape(-1)
            prepared, invalid = preprocess_measured(patterns[off], x, q, sqrt=sqrt, n_dim=patterns.ndim - 1)
            said = np.full((len(prepared), len(phases)), 1 / len(phases), np.float32)
            said[~invalid] = classifier.predict(prepared[~invalid])
            known = label[off] >= 0
            right.append((said.argmax(axis=1) == label[off])[known].mean())
            sure.append(said.max(axis=1)[truth.label.reshape(-1)[off] < 0])
        return np.array(right), float(np.concatenate(sure).mean())


if __name__ == "__main__":
    main()
