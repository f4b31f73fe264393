"""Patterns a second of this checkout over those of another one, processes in turn, medians of their ratios.

    python -m tests.benchmarks.paired --other PATH [--repeats 9]

Each process simulates the same patterns of a document of its checkout, on one thread, in memory, and reports the
processor time that it took, so that what else the machine does counts little; a first block compiles and is not timed.
Pairs of processes follow each other at once, in an order that alternates. The rows are compared, to the bit.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
# keys by their first names, which each checkout reads
CASES = {
    "profiles, crop": ("bulk.yaml", {}, 8192),
    "profiles, all": ("reference.yaml", {}, 8192),
    "realistic": ("realistic.yaml", {}, 4096),
    "historical": ("historical.yaml", {}, 4096),
    "polar patterns": ("reference.yaml", {"cake_px": True}, 1024),
}
_RUN = """
import hashlib, json, sys, time
from difsims_core import load_spec
from difsims_core.resources import specs_folder
from difsims_core.simulation.simulator import Simulator
name, output, n = json.loads(sys.argv[1])
spec = load_spec(specs_folder() / name)
kept = type(spec.output).model_validate(output) if output else spec.output
spec = spec.model_copy(update={"n_patterns": 2 * n, "output": kept})
simulator = Simulator.prepare(spec)
simulator.block(n, n + min(n, 64), 1)
start = time.process_time()
block = simulator.block(0, n, 1)
seconds = time.process_time() - start
print(json.dumps([seconds, hashlib.sha256(block.x_px.tobytes()).hexdigest()]))
"""


def measure(checkout: Path, case: tuple[str, dict[str, bool], int]) -> tuple[float, str]:
    """Return seconds and the SHA-256 of the rows of one process."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    command = [sys.executable, "-c", _RUN, json.dumps(case)]
    done = subprocess.run(command, cwd=checkout, env=environment, check=True, capture_output=True, text=True)
    seconds, digest = json.loads(done.stdout)
    return seconds, digest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--other", type=Path, required=True, help="another checkout, such as a git worktree")
    parser.add_argument("--repeats", type=int, default=9, help="pairs of processes; medians are printed")
    chosen = parser.parse_args()
    for name, case in CASES.items():
        measure(HERE, case), measure(chosen.other, case)  # compiled kernels are kept on disk
        ratios = []
        for repeat in range(chosen.repeats):
            order = (HERE, chosen.other) if repeat % 2 else (chosen.other, HERE)
            found = {checkout: measure(checkout, case) for checkout in order}
            ours, theirs = found[HERE], found[chosen.other]
            ratios.append(theirs[0] / ours[0])
            same = "the same rows" if ours[1] == theirs[1] else "other rows"
        print(
            f"{name:<16} {case[2] / ours[0]:9,.0f} patterns/s, {statistics.median(ratios):.3f} of the other's rate "
            f"({min(ratios):.3f} … {max(ratios):.3f}), {same}",
            flush=True,
        )


if __name__ == "__main__":
    main()
