"""Seconds from the start of a Python process to its first simulated pattern.

    python -m tests.benchmarks.startup [--repeats 5] [--cold] [--imports]

Each run is a process of its own that reads the reference document and simulates pattern 0, with the compiled kernels
on disk from an earlier run; medians. Three parts: imports (from the start of the process on, Python's own included),
tables (the document, crystals, reflections, spread operators), and the first block. ``--cold`` adds one run that
compiles all kernels, in an empty cache of its own; ``--imports`` lists what the imports spend their time on.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

import difsims_core
from difsims_core.resources import specs_folder

_ROOT = Path(difsims_core.__file__).resolve().parent.parent
_FIRST_PATTERN = """
import json, sys, time
from difsims_core import load_spec, simulate
from difsims_core.simulation.simulator import Simulator
imported = time.time()
spec = load_spec(sys.argv[1])
Simulator.prepare(spec)
prepared = time.time()
block = simulate(spec, 0, 1)
done = time.time()
print(json.dumps([imported, prepared, done, float(block.x_px.max()), block.x_px.tobytes().hex()]))
"""
_LISTED, _WORTH_MS = 25, 20.0


def first_pattern(environment: Mapping[str, str]) -> tuple[np.ndarray, str]:
    """Run one process; return its (3,) seconds of imports, tables and first block, and the bytes of the profile."""
    command = [sys.executable, "-c", _FIRST_PATTERN, str(specs_folder() / "reference.yaml")]
    started = time.time()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(environment), cwd=_ROOT)
    assert done.returncode == 0, done.stderr
    *times, highest, profile = json.loads(done.stdout)
    assert highest == 1
    return np.diff([started, *times]), profile


def list_imports() -> None:
    """Print the modules whose import takes longest, with everything that they import in turn."""
    command = [sys.executable, "-X", "importtime", "-c", "from difsims_core import load_spec, simulate"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=_ROOT)
    pattern = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|( +)(\S+)")
    found = [(int(own), int(all_), name) for own, all_, _, name in pattern.findall(done.stderr)]
    print("\nmodule, ms with all that it imports first, ms of its own")
    for own, together, name in sorted(found, key=lambda item: -item[1])[:_LISTED]:
        if together >= _WORTH_MS * 1000:
            print(f"  {name:<56}{together / 1000:8.0f}{own / 1000:8.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="processes; medians are printed")
    parser.add_argument("--cold", action="store_true", help="also once with nothing compiled")
    parser.add_argument("--imports", action="store_true", help="also what is imported, and how long it takes")
    arguments = parser.parse_args()
    _, expected = first_pattern(os.environ)
    runs = []
    for _ in range(arguments.repeats):
        seconds, profile = first_pattern(os.environ)
        assert profile == expected
        runs.append(seconds)
    show("compiled before", np.array(runs))
    if arguments.cold:
        with tempfile.TemporaryDirectory(prefix="difsims-benchmark-") as folder:
            seconds, profile = first_pattern({**os.environ, "NUMBA_CACHE_DIR": folder})
        assert profile == expected
        show("nothing compiled", seconds[None])
    if arguments.imports:
        list_imports()


def show(title: str, seconds: np.ndarray) -> None:
    """Print medians of (n, 3) seconds."""
    total = seconds.sum(axis=1)
    parts = ", ".join(
        f"{name} {value:.2f}"
        for name, value in zip(("imports", "tables", "first block"), np.median(seconds, axis=0), strict=True)
    )
    print(
        f"{title}: {np.median(total):.2f} s to the first pattern ({total.min():.2f} … {total.max():.2f} of "
        f"{len(total)}): {parts}"
    )


if __name__ == "__main__":
    main()
