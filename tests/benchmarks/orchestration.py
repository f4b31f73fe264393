"""What Prefect costs: the ``simulate`` flow against ``run_simulation`` in the same process, on the same kind of store.

    python -m tests.benchmarks.orchestration [--patterns 2500000] [--runs 3] [--file | --s3] [--parts]

Both simulate bulk.yaml into the same store, in turns, with another seed each time; the dataset is removed after each.
The flow does the same work as one task for each group of blocks, and besides: states and results of tasks, logs, tags,
the progress artifact, the table and the figure of the dataset, an event. Time runs from the call to its return. The
server is the temporary one of the command line and shares the processors, unless PREFECT_API_URL says otherwise. The S3
server runs on this machine too. Compilation and loading happen before, on a small dataset.

``--parts`` prints what the flow's own log says of the time between its lines.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from difsims_core import SimulationSpec, load_spec
from difsims_core.dataset.run_simulation import run_simulation
from difsims_core.resources import specs_folder
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from flows.cli.session import flow_session
from tests.services import running_s3

_TARGET_PERCENT = 5.0
_WARM_UP = 40_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patterns", type=int, default=2_500_000, help="patterns of a run")
    parser.add_argument("--runs", type=int, default=3, help="runs with the flow, and as many without")
    parser.add_argument("--parts", action="store_true", help="also where the time of the flow goes")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--s3", action="store_true", help="only to a SeaweedFS server on this machine")
    where.add_argument("--file", action="store_true", help="only to a temporary folder")
    chosen = parser.parse_args()
    spec = load_spec(specs_folder() / "bulk.yaml", SimulationSpec, [f"n_patterns={chosen.patterns}"])
    with tempfile.TemporaryDirectory(prefix="difsims-benchmark-") as folder, flow_session("flows.simulate"):
        if chosen.parts:
            from flows.ui.progress import listeners

            listeners.append(Clock())
        if not chosen.s3:
            compare(spec, f"file://{folder}/store", chosen.runs)
        if not chosen.file:
            with running_s3(Path(folder) / "s3") as service:
                os.environ.update(service.environment)
                compare(spec, f"s3://{service.bucket}/benchmark", chosen.runs)


def compare(spec: SimulationSpec, store: str, runs: int) -> None:
    """Print the medians with and without Prefect, and their difference."""
    from flows.simulate import simulate

    ways: dict[str, Callable[[SimulationSpec], str]] = {
        "build": lambda wanted: run_simulation(open_store(store), wanted).id,
        "flow": lambda wanted: simulate(wanted, store),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    busy: dict[str, list[float]] = {name: [] for name in ways}
    for name, way in ways.items():
        run(way, spec.model_copy(update={"n_patterns": _WARM_UP, "seed": len(name)}), store)
    for number in range(2 * runs):
        name = list(ways)[number % 2]
        took, used = run(ways[name], spec.model_copy(update={"seed": 100 + number}), store)
        seconds[name].append(took)
        busy[name].append(used)
        print(f"  {name}: {took:.2f} s, {used:.2f} s of processor time in this process", flush=True)
    plain, orchestrated = (statistics.median(seconds[name]) for name in ways)
    more = orchestrated - plain
    used = statistics.median(busy["flow"]) - statistics.median(busy["build"])
    percent = 100 * more / plain
    print(
        f"{store.split(':', maxsplit=1)[0]:<5}{spec.n_patterns:>10,} patterns, {os.cpu_count()} processors, medians of "
        f"{runs} runs: build {plain:.2f} s, flow {orchestrated:.2f} s: {more:+.2f} s, {percent:+.1f} % "
        f"(target {_TARGET_PERCENT} %: {'met' if percent <= _TARGET_PERCENT else 'MISSED'}); processor time of this "
        f"process {used:+.2f} s",
        flush=True,
    )


def run(way: Callable[[SimulationSpec], str], spec: SimulationSpec, store: str) -> tuple[float, float]:
    """Return the seconds of a dataset, by the clock and of this process's processors; it is removed again."""
    began, busy = time.perf_counter(), time.process_time()
    simulation = way(spec)
    took = time.perf_counter() - began, time.process_time() - busy
    open_store(store).delete_tree(layout.simulation(simulation))
    return took


class Clock:
    """Print when the flow says what, and when its work moves from group to group."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def on_message(self, text: str) -> None:
        self._print(text)

    def on_progress(self, _work: object) -> None:
        pass

    def on_end(self, _work: object) -> None:
        self._print("the blocks are written")

    def _print(self, text: str) -> None:
        now = time.perf_counter()
        print(f"    {now - self._last:8.2f} s until: {text}", flush=True)
        self._last = now


if __name__ == "__main__":
    main()
