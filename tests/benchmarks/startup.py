"""How long commands take to answer, as ratios to a process that only loads NumPy, Numba and Zarr.

    python -m tests.benchmarks.startup [--repeats 5] [--imports COMMAND …]

Wall and processor time of whole processes, their children included; medians, with the base run in turn with them.
Compiled kernels are on disk from a first round, which is not counted. ``--imports`` lists instead what a command of
``difsims`` spends the time of its imports on.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import difsims_core
from difsims_core.resources import samples_folder

_ROOT = Path(difsims_core.__file__).resolve().parent.parent
_DIFSIMS = (sys.executable, "-m", "flows.cli.app")
_BASE = (sys.executable, "-c", "import numpy, numba, zarr")
_LISTED, _WORTH_MS = 25, 20.0


@dataclass(frozen=True)
class Timed:
    """A command, the ratio that it should keep to its base, its exit code, and what is done before each run."""

    command: tuple[str, ...]
    most: float
    code: int = 0
    base: str = "base"
    before: Callable[[], object] = lambda: None


def commands(folder: Path) -> dict[str, Timed]:
    """Return what is timed; a model is trained in the folder first."""
    store, other = ("--store", str(folder / "store")), folder / "other"
    few, small = ("--set", "n_patterns=3000"), ("--set", "n_patterns=600", "--set", "output.x_all=false")
    simulation = _answer("simulate", *small, *store)
    model = _answer("train", simulation, "--set", "epochs=1", *store)
    scan, maps = str(samples_folder() / "roi_1_radial_crop.npz"), folder / "store" / "predictions"
    loaded = (
        "from difsims_core.learn.bundle import load_bundle\nfrom difsims_core.storage.objects import open_store\n"
        f"load_bundle({model!r}, open_store({store[1]!r})).classifier\nimport tensorflow"
    )

    def difsims(*arguments: str) -> tuple[str, ...]:
        return (*_DIFSIMS, *arguments)

    def removed(path: Path) -> Callable[[], object]:
        return lambda: shutil.rmtree(path, ignore_errors=True)

    return {
        "base": Timed(_BASE, 1),
        "--help": Timed(difsims("--help"), 1),
        "phases": Timed(difsims("phases"), 2),
        "simulate 3 000": Timed(difsims("simulate", *few, "--store", str(other)), 6, before=removed(other)),
        "the same again": Timed(difsims("simulate", *few, "--store", str(other)), 3),
        "TensorFlow and the bundle": Timed((sys.executable, "-c", loaded), 10),
        "predict a map": Timed(
            difsims("predict", model, scan, *store), 1.5, base="TensorFlow and the bundle", before=removed(maps)
        ),
        "a wrong key": Timed(difsims("simulate", "--set", "n_pattern=3"), 1, 2),
        "a wrong network": Timed(difsims("train", simulation, "--set", "network=larg", *store), 1, 2),
        "a wrong store": Timed(difsims("train", simulation, "--store", str(folder / "nowhere")), 3, 1),
        "a wrong scan": Timed(difsims("predict", model, str(folder / "none.npz"), *store), 3, 2),
        "a wrong id": Timed(difsims("predict", "cnn-00000000-0000-4000-8000-000000000000", scan, *store), 3, 1),
    }


def _answer(*arguments: str) -> str:
    done = subprocess.run([*_DIFSIMS, *arguments], capture_output=True, text=True, check=True, env=_environment())
    return done.stdout.split()[-1]


def _environment() -> dict[str, str]:
    others = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    return {**others, "PYTHONPATH": str(_ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}


def measure(timed: Timed, folder: Path) -> tuple[float, float]:
    """Return wall and processor seconds of one run."""
    timed.before()
    used, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(timed.command, capture_output=True, text=True, check=False, cwd=folder, env=_environment())
    wall, now = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == timed.code, done.stderr
    return wall, now.ru_utime - used.ru_utime + now.ru_stime - used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="runs of each; medians are printed")
    parser.add_argument("--imports", nargs=argparse.REMAINDER, help="a command whose imports are listed instead")
    chosen = parser.parse_args()
    if chosen.imports:
        list_imports(chosen.imports)
        return
    with tempfile.TemporaryDirectory(prefix="difsims-benchmark-") as name:
        folder = Path(name)
        wanted = commands(folder)
        rounds = [{label: measure(timed, folder) for label, timed in wanted.items()} for _ in range(chosen.repeats + 1)]
    medians = {
        label: tuple(statistics.median(each[label][kind] for each in rounds[1:]) for kind in (0, 1)) for label in wanted
    }
    print(f"{'':28}{'wall':>8}{'CPU':>8}{'ratio: wall':>14}{'CPU':>8}{'at most':>10}")
    for label, (wall, used) in medians.items():
        base = medians[wanted[label].base]
        print(
            f"{label:28}{wall:7.2f}s{used:7.2f}s{wall / base[0]:13.2f}×{used / base[1]:7.2f}×{wanted[label].most:9.1f}×"
        )


def list_imports(arguments: list[str]) -> None:
    """Print the modules whose import takes longest in a command, with everything that they import in turn."""
    command = [sys.executable, "-X", "importtime", *_DIFSIMS[1:], *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment())
    pattern = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|( +)(\S+)")
    found = [(int(own), int(together), name) for own, together, _, name in pattern.findall(done.stderr)]
    print("module, ms with all that it imports first, ms of its own")
    for own, together, name in sorted(found, key=lambda item: -item[1])[:_LISTED]:
        if together >= _WORTH_MS * 1000:
            print(f"  {name:<56}{together / 1000:8.0f}{own / 1000:8.0f}")


if __name__ == "__main__":
    main()
