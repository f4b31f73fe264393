"""How fast a raw scan becomes patterns, against pyxem on the same frames, in turns, and how well both are centred.

    python -m tests.benchmarks.pyxem_comparison [--patterns 512] [--repeats 5] [--environment FOLDER]

Ours: centring and both integrations, to 147 annuli and the polar pattern. Theirs: `get_direct_beam_position` by each of
its sub-pixel methods, `center_direct_beam`, `get_azimuthal_integral1d` to 147 annuli, and `get_azimuthal_integral2d` to
74 × 72 cells, which ours does too. Both may use all processors, and build before what is the same for all patterns.
Where other work runs beside them, look at the time of processors. pyxem is installed by pip, as its configuration says,
into an environment of its own, in a temporary folder unless one is named.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.experiment.prepare import prepare_scan
from difsims_core.experiment.preprocess import integrate_scan
from difsims_core.signal.grid import REFERENCE_GRID
from tests.benchmarks.environments import python_with
from tests.benchmarks.raw_scans import CALIBRATION, SIZE, made_frames

PYXEM = "pyxem>=0.21"  # earlier ones do not load with today's HyperSpy
METHODS = ("center_of_mass", "interpolate", "cross_correlate")


@contextmanager
def their_side(python: Path, frames: Path) -> Iterator[subprocess.Popen[str]]:
    """Give the process that measures pyxem."""
    q = REFERENCE_GRID.q[REFERENCE_GRID.crop]
    script = Path(__file__).with_name("pyxem_side.py")
    told = [str(item) for item in (frames, CALIBRATION, q[0], q[-1], len(q))]
    log = frames.with_name("pyxem.log")
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [python, script, *told], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        yield process
        assert process.stdin is not None
        process.stdin.close()
    if process.returncode:
        sys.exit(f"pyxem failed:\n{log.read_text()[-1500:]}")


def ask(process: subprocess.Popen[str], method: str) -> dict[str, list]:
    """Let pyxem go through all frames once."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{method}\n")
    process.stdin.flush()
    line = process.stdout.readline()
    return json.loads(line) if line else {}


def taken(action: Callable[[], object]) -> tuple[float, float]:
    """Return seconds, and those of processors."""
    start = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - start[0], time.process_time() - start[1]


def centre_error(found: np.ndarray, true: np.ndarray) -> str:
    """Return the median and the 95th percentile of the distances of centres, px."""
    distance = np.hypot(*(np.asarray(found) - true).T)
    return f"centres {np.median(distance):.2f} px off, 95 %: {np.percentile(distance, 95):.2f} px"


def compare(python: Path, n_patterns: int, repeats: int, folder: Path) -> None:
    """Print what both take and the ratios."""
    frames, true = made_frames(n_patterns)
    path = folder / "frames.npy"
    np.save(path, frames.reshape(16, -1, SIZE, SIZE))
    spec = PreprocessingSpec.model_validate(
        {"reading": {"calibration_per_angstrom": CALIBRATION}, "geometry": {"ellipse": [0, 0]}}
    )
    prepared = prepare_scan(path, spec)
    built = taken(lambda: integrate_scan(prepared))[0]
    found = integrate_scan(prepared).centres.reshape(-1, 2)
    ours, theirs, errors = [], {method: [] for method in METHODS}, {}
    with their_side(python, path) as process:
        for _ in range(repeats + 1):
            for method in METHODS:
                ours.append(taken(lambda: integrate_scan(prepared)))
                answer = ask(process, method)
                if not answer:
                    return
                errors[method] = centre_error(np.array(answer["centres"]), true)
                theirs[method].append(np.array(answer["steps"]))
    mine = np.array(ours[len(METHODS) :]).reshape(repeats, len(METHODS), 2)  # the first time both load and compile
    wall, processors = 1e3 * np.median(mine, axis=(0, 1)) / n_patterns
    print(f"difsims, profiles and polar patterns: {wall:.2f} ms a pattern, {processors:.2f} ms of a processor; "
          f"{centre_error(found, true)}; the first time {built:.1f} s, with what is built once")  # fmt: skip
    rings, cells = answer["built"]
    print(f"pyxem builds, in each call, {rings:.1f} s for profiles and {cells:.1f} s for "
          f"polar patterns: below only where said")  # fmt: skip
    for place, method in enumerate(METHODS):
        steps = np.array(theirs[method][1:])  # (repeats, steps, 2)
        each = 1e3 * np.median(steps, axis=0)[:, 0] / n_patterns
        print(f"pyxem, {method}: centring {each[0]:.2f}, shifting {each[1]:.2f}, profiles {each[2]:.2f}, polar "
              f"patterns {each[3]:.2f} ms a pattern; {errors[method]}")  # fmt: skip
        for what, n_steps in (("profiles", 3), ("profiles and polar patterns", 4)):
            ratio = np.median(steps[:, :n_steps].sum(axis=1) / mine[:, place], axis=0)
            whole = np.median(steps[:, :n_steps].sum(axis=1)[:, 0]) + sum(answer["built"][: n_steps - 2])
            print(f"  to {what}: difsims is {ratio[0]:.1f} × as fast, {ratio[1]:.1f} × by time of processors; "
                  f"a call that builds all, {whole / built:.1f} ×")  # fmt: skip


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patterns", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--environment", type=Path, help="of pyxem; default: a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        python = python_with(options.environment or Path(folder) / "pyxem", PYXEM)
        compare(python, options.patterns, options.repeats, Path(folder))


if __name__ == "__main__":
    main()
