"""How long `difsims up` takes to start, first and again, how soon a run begins, and how long it takes to stop.

    python -m tests.benchmarks.stack [--runs 5]

The first start makes everything: credentials, databases, deployments. The second continues with the same folder. A run
is submitted to ``simulate/local`` when the one before it has ended; its latency goes from the request to the state
Running, as the server tells both: the worker looks for work every few seconds, then starts a process, which loads
Prefect and the flow.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.stack_service import RunningStack, running_stack


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="runs that are submitted, one after another")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="difsims-benchmark-") as folder:
        state = Path(folder) / "state"
        for name, runs in (("first", chosen.runs), ("second", 0)):
            began = time.perf_counter()
            with running_stack(state) as stack:
                print(f"{name} start: {time.perf_counter() - began:.1f} s", flush=True)
                if runs:
                    show_latencies([submit(stack, seed) for seed in range(runs)])
                began = time.perf_counter()
            print(f"stop: {time.perf_counter() - began:.1f} s", flush=True)


def submit(stack: RunningStack, seed: int) -> dict[str, Any]:
    """Return a small run that has ended."""
    spec = {"n_patterns": 600, "seed": seed, "output": {"x_all": False}}
    run = stack.wait(stack.submit("simulate/local", {"spec": spec}))
    if run["state"]["type"] != "COMPLETED":
        raise SystemExit(f"the run ended as {run['state']}:\n{stack.logs_of(run['id'])}")
    return run


def show_latencies(runs: list[dict[str, Any]]) -> None:
    """Print how long runs waited for their process and how long they then took."""
    for name, start, end in (("from request to running", "created", "start_time"), ("run", "start_time", "end_time")):
        seconds = [
            (datetime.fromisoformat(run[end]) - datetime.fromisoformat(run[start])).total_seconds() for run in runs
        ]
        spread = f"{min(seconds):.1f} … {max(seconds):.1f}"
        print(f"{name}: median {statistics.median(seconds):.1f} s of {len(seconds)} ({spread})", flush=True)


if __name__ == "__main__":
    main()
