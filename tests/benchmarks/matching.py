"""How fast and how well templates match: against the exhaustive search, against pyxem, and on a scan with truth.

    python -m tests.benchmarks.matching MODEL [--patterns 200] [--pyxem FOLDER] [--scan film_1.hspy --mask film_1_mask.npy --truth film_1_truth.npz]

MODEL is a model of kind ``templates`` of the store DIFSIMS_STORE. Patterns are fresh ones of the document of its datasets; where other work
runs beside it, look at the time of processors. ``--pyxem`` names a folder for an environment with pyxem, made unless it
is there: the same templates, as polar images and lists of their cells, are matched by its CPU code. With ``--scan`` the
raw scan is preprocessed, mapped and compared with its truth, of the form that `tests/benchmarks/polar_grids.py` reads;
each such run is a scoring.
"""  # noqa: E501 the command is one line

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.catalogue import find_crystal
from difsims_core.crystal.phases import load_crystal
from difsims_core.dataset.open import open_simulation
from difsims_core.experiment.write.write_scan import write_scan
from difsims_core.learn.bundle import ModelBundle, load_bundle
from difsims_core.learn.classifiers.templates import TemplateMatching
from difsims_core.learn.matching.search import BestMatches, PreparedPatterns, SearchWidth, match
from difsims_core.learn.predict import predict_experiment
from difsims_core.simulation.simulator import simulate
from difsims_core.storage.npz.contracts import read_prediction
from difsims_core.storage.objects import open_store
from tests.benchmarks.environments import python_with
from tests.benchmarks.pyxem_comparison import PYXEM

_SEED = 4711
_WITH_PYXEM = 64  # patterns; it takes seconds for each
_FRAME_OF_TRUTH = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
"""There the rows of a frame are numbered along x and the beam runs along +z; here columns are, and it runs along −z."""


def timed(action):
    """Return what an action gives, its seconds, and those of processors."""
    start = time.perf_counter(), time.process_time()
    found = action()
    return found, time.perf_counter() - start[0], time.process_time() - start[1]


def exhaustive(matcher: TemplateMatching, patterns: np.ndarray) -> list[BestMatches]:
    """Return the best match of each phase among all its templates."""
    runs = [patterns[first : first + 16] for first in range(0, len(patterns), 16)]

    def of_run(run: np.ndarray) -> list[BestMatches]:
        prepared = PreparedPatterns.of(run, matcher.power)
        return [
            BestMatches.of(match(prepared, templates, np.arange(templates.grid.size)[None]))
            for templates in matcher.templates
        ]

    with ThreadPoolExecutor(2) as pool:
        parts = list(pool.map(of_run, runs))
    names = ("template", "score", "turn", "mirrored")
    return [
        BestMatches(*(np.concatenate([getattr(part[k], name) for part in parts]) for name in names))
        for k in range(len(matcher.templates))
    ]


def compare_searches(bundle: ModelBundle, n: int, pyxem: Path | None) -> None:
    """Print rates, agreement and accuracy on fresh patterns."""
    matcher = bundle.classifier
    assert isinstance(matcher, TemplateMatching)
    spec = open_simulation(bundle.sim_ids[0], bundle.store).spec
    fresh = simulate(SimulationSpec.model_validate(spec.to_document() | {"seed": _SEED, "n_patterns": n}), 0, n)
    labels = fresh.y.ravel()
    matcher.match(fresh.polar[:32], orientations=True)  # loads and lays out
    exhaustive(matcher, fresh.polar[:2])
    found, wall, processors = timed(lambda: matcher.match(fresh.polar, orientations=True))
    print(f"pre-selected, with orientations: {n / wall:.1f} patterns/s, {1e3 * processors / n:.1f} ms of processors "
          f"a pattern; 512 × 512 in {512 * 512 * wall / n / 60:.1f} min, in "
          f"{512 * 512 * processors / n / 120:.1f} min of two free cores")  # fmt: skip
    best, wall, processors = timed(lambda: exhaustive(matcher, fresh.polar))
    total = sum(templates.grid.size for templates in matcher.templates)
    print(f"all {total:,} templates: {n / wall:.1f} patterns/s, {1e3 * processors / n:.0f} ms of processors a pattern, "
          f"{1e6 * processors / n / total:.2f} µs a template")  # fmt: skip
    scores = np.stack([some.score for some in best], axis=1)
    logits = [matcher.calibration.logits(values) for values in (found.scores, scores)]
    same = logits[0].argmax(axis=1) == logits[1].argmax(axis=1)
    equal = (found.scores.max(axis=1) >= scores.max(axis=1)).mean()
    print(f"the same phase as the exhaustive search: {same.mean():.3f}; its best template or score too: {equal:.3f}")
    decade = np.floor(np.log10(fresh.draws["dose"].ravel()))
    for exponent in np.unique(decade):
        some = decade == exponent
        print(f"  of {10**exponent:g} to {10 ** (exponent + 1):g} counts: {same[some].mean():.3f} of {some.sum()}")
    for name, values in (("pre-selected", logits[0]), ("exhaustive", logits[1])):
        print(f"  {name}: {(values.argmax(axis=1) == labels).mean():.3f} right")
    if pyxem is not None:
        compare_pyxem(matcher, fresh.polar, pyxem)


def compare_pyxem(matcher: TemplateMatching, patterns: np.ndarray, folder: Path) -> None:
    """Print how fast pyxem's CPU code matches the same templates with the same patterns, and how often it agrees."""
    python, some = python_with(folder, PYXEM), patterns[:_WITH_PYXEM]
    prepared = PreparedPatterns.of(some, matcher.power)
    images = prepared.doubled[:, :, : prepared.n_azimuths]
    cells = np.concatenate([templates.cell for templates in matcher.templates])
    amplitude = np.concatenate([templates.amplitude for templates in matcher.templates])
    ends = np.cumsum([templates.grid.size for templates in matcher.templates])
    with tempfile.TemporaryDirectory() as place:
        np.savez(Path(place) / "matching.npz", images=images, cells=cells, amplitude=amplitude)
        script = Path(__file__).with_name("pyxem_matching_side.py")
        done = subprocess.run([python, script, place], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"pyxem failed:\n{done.stderr[-1500:]}")
    theirs = json.loads(done.stdout.splitlines()[-1])
    best, _, processors = timed(lambda: exhaustive(matcher, some))
    ours = np.stack([found.score for found in best], axis=1).argmax(axis=1)
    same = (ours == np.searchsorted(ends, theirs["best"], side="right")).mean()
    ratio = theirs["processors"] / processors
    print(f"pyxem: {1e3 * theirs['processors'] / len(some):.0f} ms of processors a pattern; difsims, exhaustively, is "
          f"{ratio:.1f} × as fast; the same phase for {same:.3f} of {len(some)} patterns")  # fmt: skip


def score_scan(bundle: ModelBundle, raw: Path, mask: Path | None, truth: Path) -> None:
    """Print how many interior pixels have the true phase, and how far orientations are off."""
    from diffpy.structure import loadStructure
    from scipy.spatial.transform import Rotation

    known = np.load(truth, allow_pickle=False)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        document = {"phases": list(bundle.phases), "pixels": {} if mask is None else {"mask": str(mask)}}
        written = write_scan(store, raw, PreprocessingSpec.model_validate(document))
        result, wall, processors = timed(lambda: predict_experiment(store, bundle, written.profiles))
        found = read_prediction(result.url)
    print(f"{raw.name}: {found.pred[..., 0].size} patterns in {wall:.1f} s, {processors:.1f} s of processors")
    inside = (known["label"] >= 0) & ~known["boundary"].astype(bool)
    names = [str(name) for name in known["phases"]]
    wanted = np.array([bundle.phases.index(name) for name in names])[known["label"]]
    right = inside & (found.pred.argmax(axis=-1) == wanted)
    print(f"interior pixels of the right phase: {right.sum() / inside.sum():.3f} of {inside.sum()}")
    every = []
    for number, name in enumerate(bundle.phases):
        some = right & (wanted == number)
        if not some.any():
            continue
        crystal = load_crystal(name)
        base = np.asarray(loadStructure(find_crystal(name)).lattice.base)
        turn = np.linalg.solve(crystal.structure.cell.base, base)
        specimen = Rotation.from_quat(known["quaternion_xyzw"][some]).as_matrix()
        true = turn @ specimen.transpose(0, 2, 1) @ _FRAME_OF_TRUTH
        mine = Rotation.from_quat(found.orientation[some], scalar_first=True).as_matrix()
        operations = bundle.classifier.templates[number].grid.operations
        proper = operations[np.linalg.det(operations) > 0]
        cosine = (np.einsum("nij,sik,nkj->ns", mine, proper, true).max(axis=1) - 1) / 2
        angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        every.append(angle)
        print(f"  {name}: {some.sum()} pixels, misorientation {np.median(angle):.2f}° (median), quartiles "
              f"{np.percentile(angle, 25):.2f}° and {np.percentile(angle, 75):.2f}°")  # fmt: skip
    print(f"  all: {np.median(np.concatenate(every)):.2f}° (median)")


def main() -> None:
    """Print the measurements that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="its id")
    parser.add_argument("--patterns", type=int, default=200, help="0: none")
    parser.add_argument("--kept", type=float, nargs=2, metavar=("PROFILE", "FEW"), help="other parts than the model's")
    parser.add_argument("--pyxem", type=Path, help="folder of an environment")
    parser.add_argument("--scan", type=Path)
    parser.add_argument("--mask", type=Path)
    parser.add_argument("--truth", type=Path)
    options = parser.parse_args()
    bundle = load_bundle(options.model, open_store())
    if options.kept:
        bundle.classifier.width = SearchWidth(*options.kept, last=1)
    if options.patterns:
        compare_searches(bundle, options.patterns, options.pyxem)
    if options.scan is not None:
        score_scan(bundle, options.scan, options.mask, options.truth)


if __name__ == "__main__":
    main()
