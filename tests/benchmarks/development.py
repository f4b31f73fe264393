"""How good the maps of models are on scans with truth that no training has seen: pixel by pixel and grain by grain.

    python -m tests.benchmarks.development STORE MODEL … [--truth FOLDER] [--scans NAME …] [--geometry]

STORE holds the models, and the scans of ``python -m tests.development.scans FOLDER``, preprocessed; ``--truth`` is
``FOLDER/truth``. What a model has not mapped yet it maps first. Scored are pixels off boundaries; a grain is right when
most of its pixels are. Intervals (95 %) are those of grains drawn again, as neighbouring pixels are one observation
(docs/physics.md §13). Where a map says what all pixels of a grain show together, that is scored too, pixel by pixel, as
"by grain". The AUROC is that of amorphous pixels against crystals by confidence. ``--geometry`` prints how well
ellipse, centres and calibration of the scans were measured. Every such run is a scoring.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from difsims_core.evaluate.classification import classification_scores, confidence_of, labels_in_phases
from difsims_core.experiment.write.open import open_experiment
from difsims_core.learn.bundle import ModelBundle, load_bundle
from difsims_core.learn.predict_scans import run_prediction
from difsims_core.storage import layout
from difsims_core.storage.npz.contracts import read_prediction, read_truth
from difsims_core.storage.objects import ObjectStore, open_store

_RESAMPLES = 2000
_HEAD = (
    f"{'':14} {'pixels':>6} {'right':>6} {'95 % interval':>16} {'grains':>6} {'right':>6} {'95 % interval':>16} "
    f"{'ECE':>6} {'Brier':>6} {'loss':>6} {'AUROC':>6}"
)


@dataclass(frozen=True)
class Scored:
    """Pixels of maps off boundaries, end to end.

    Attributes
    ----------
    label : (n,)
        True class.
    pred : (n, k)
        Probabilities.
    grain : (n,)
        Different for each grain of each scan.
    confidence, amorphous : (n,), (m,)
        Of these pixels, and of those without a crystal.
    """

    label: np.ndarray
    pred: np.ndarray
    grain: np.ndarray
    confidence: np.ndarray
    amorphous: np.ndarray

    @classmethod
    def of(cls, url: str, file: Path, scan: int, *, by_grain: bool = False) -> Scored | None:
        """Read a map and its truth; None: the map does not say what grains show."""
        found, truth = read_prediction(url), read_truth(file)
        if by_grain and found.grain_pred is None:
            return None
        pred = found.grain_pred if by_grain and found.grain_pred is not None else found.pred
        confidence = pred.max(axis=-1) if by_grain else confidence_of(found)
        with np.load(file, allow_pickle=False) as arrays:
            grain = arrays["frame"].astype(np.int64) + 10_000 * scan
        label = labels_in_phases(truth, found.phases)
        inside = np.ones(label.shape, bool) if truth.boundary is None else ~truth.boundary
        known, unknown = inside & (label >= 0), inside & (truth.label < 0)
        return cls(label[known], pred[known].astype(float), grain[known], confidence[known], confidence[unknown])

    @classmethod
    def together(cls, parts: Sequence[Scored]) -> Scored:
        """Return all pixels of several maps."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def where(self, chosen: np.ndarray) -> Scored:
        """Return some of the pixels, and no amorphous ones."""
        names = ("label", "pred", "grain", "confidence")
        return Scored(*(getattr(self, name)[chosen] for name in names), amorphous=np.empty(0))

    def row(self, name: str, phases: Sequence[str]) -> str:
        """Return a line of the table."""
        hit = self.pred.argmax(axis=1) == self.label
        of_grain = np.unique(self.grain, return_inverse=True)[1]
        pixels, hits = np.bincount(of_grain), np.bincount(of_grain, weights=hit)
        grains = hits > pixels / 2
        said = classification_scores(self.pred, self.label, phases)
        return (
            f"{name:14} {len(hit):6} {hit.mean():6.3f} {interval(hits, pixels):>16} {len(grains):6} "
            f"{grains.mean():6.3f} {interval(grains, np.ones(len(grains))):>16} "
            f"{said['expected_calibration_error']:6.3f} {said['brier_score']:6.3f} {said['log_loss']:6.3f} "
            f"{auroc(self.confidence, self.amorphous):6.3f}"
        )


def interval(hits: np.ndarray, of: np.ndarray) -> str:
    """Return the 95 % interval of Σ hits / Σ of, by grains drawn again."""
    drawn = np.random.default_rng(0).integers(0, len(of), size=(_RESAMPLES, len(of)))
    low, high = np.percentile(hits[drawn].sum(axis=1) / of[drawn].sum(axis=1), [2.5, 97.5])
    return f"({low:.3f} … {high:.3f})"


def auroc(known: np.ndarray, unknown: np.ndarray) -> float:
    """Return the chance that a known pixel is surer than an unknown one, ties counted half; NaN without either."""
    if not len(known) or not len(unknown):
        return np.nan
    ranks = rankdata(np.concatenate([known, unknown]))[: len(known)].sum()
    return (ranks - len(known) * (len(known) + 1) / 2) / (len(known) * len(unknown))


def score(store: ObjectStore, bundle: ModelBundle, scans: Sequence[str], truth: Path) -> None:
    """Print the table of one model."""
    run = run_prediction(store, bundle, [store.url(layout.experiment_profiles(name)) for name in scans])
    for url, error in run.failures.items():
        print(f"{url}: {error}")
    print(f"\n{bundle.id}\n{_HEAD}")
    for by_grain in (False, True):
        parts = {}
        for number, result in enumerate(run.results):
            name = result.name.removesuffix("_radial_crop")
            part = Scored.of(result.url, truth / f"{name}_truth.npz", number, by_grain=by_grain)
            if part is not None:
                parts[name] = part
        if parts:
            print("by grain" if by_grain else "by pixel")
            show(parts, bundle.phases)


def show(parts: Mapping[str, Scored], phases: Sequence[str]) -> None:
    """Print a line for each scan, each kind of scan, each phase and all."""
    for name, part in parts.items():
        print(part.row(name, phases))
    for kind in sorted({name.partition("_")[0] for name in parts}):
        same = Scored.together([part for name, part in parts.items() if name.startswith(kind)])
        print(same.row(f"all {kind}", phases))
    every = Scored.together(list(parts.values()))
    for label, phase in enumerate(phases):
        if (every.label == label).any():
            print(every.where(every.label == label).row(phase[:14], phases))
    print(every.row("all", phases))


def show_geometry(store: ObjectStore, scans: Sequence[str], truth: Path) -> None:
    """Print how far measured centres, ellipses and lattice scales are from the true ones."""
    for name in scans:
        experiment = open_experiment(name, store)
        with np.load(truth / f"{name}_truth.npz", allow_pickle=False) as arrays:
            known = {key: arrays[key] for key in arrays.files}
        (yy, yx), (_, xx) = known["distortion_yx"]
        ellipse = np.hypot(*(np.array(experiment.attrs["ellipse"]) - [(yy - xx) / 2, yx]))
        off = np.hypot(*np.moveaxis(experiment["centre"][...] - (known["shifts_yx_px"] + 127.5), -1, 0))
        true = known["calibration_per_angstrom"] / experiment.attrs["calibration_per_angstrom"]
        true *= np.nanmean(known["lattice_scale"])
        print(
            f"{name:14} {known['dose']:6.0f} electrons; centre off by {np.median(off):.3f} px (median), "
            f"{np.percentile(off, 95):.3f} (95 %); ellipse by {ellipse:.4f}; lattice scale under the file's "
            f"calibration {experiment.attrs['lattice_scale']:.4f} ± {experiment.attrs['lattice_scale_error']:.4f}, "
            f"true {true:.4f}"
        )


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store")
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--scans", nargs="+", metavar="NAME", help="default: all with truth that the store holds")
    parser.add_argument("--geometry", action="store_true")
    asked = parser.parse_args()
    store = open_store(asked.store)
    with_truth = [file.name.removesuffix("_truth.npz") for file in sorted(asked.truth.glob("*_truth.npz"))]
    scans = asked.scans or [name for name in with_truth if store.exists(layout.experiment_profiles(name))]
    if asked.geometry:
        show_geometry(store, scans, asked.truth)
    for model in asked.models:
        score(store, load_bundle(model, store), scans, asked.truth)


if __name__ == "__main__":
    main()
