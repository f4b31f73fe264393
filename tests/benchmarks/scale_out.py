"""How much faster two Dask workers are than one: real processes, a real scheduler, a folder and a real S3 server.

    python -m tests.benchmarks.scale_out [--patterns 1000000] [--runs 5] [--file | --s3]

A cluster with one worker of one thread, a cluster with two such workers and one with a worker of two threads stand
side by side; runs alternate between them, so that whatever else the machine does meets all. A run begins a new dataset
of bulk.yaml (another seed each time), writes all its blocks as the simulate flow does, through
``flows.execution.compute.write_group``, and finishes it; time covers all of that. All workers have compiled and
loaded everything on a small dataset before. The S3 server runs on the same machine and shares its processors, so that
two workers there are three busy processes.

Before and after, the ceiling: what one process that computes blocks in memory makes, and two of them at once. That
ratio is what the machine gives, with nothing of ours between.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from difsims_core import SimulationSpec, load_spec
from difsims_core.dataset import build
from difsims_core.resources import specs_folder
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from flows.settings import quieten_prefect
from tests.dask_service import DaskCluster, running_dask
from tests.services import running_s3

_ONE, _TWO = "one worker", "two workers"
_CLUSTERS = {_ONE: (1, 1), _TWO: (2, 1), "one worker of two threads": (1, 2)}  # workers, and threads of each
_TARGET = 1.7
_WARM_UP = 65_536
_CEILING_SECONDS = 8.0
_COMPUTE = """
import sys, time
from difsims_core import SimulationSpec, load_spec
from difsims_core.simulation.simulator import Simulator
from difsims_core.resources import specs_folder
simulator = Simulator.prepare(load_spec(specs_folder() / "bulk.yaml", SimulationSpec, []))
simulator.block(0, 1024, threads=1)
print("ready", flush=True)
sys.stdin.readline()
began, patterns = time.perf_counter(), 0
while time.perf_counter() - began < float(sys.argv[1]):
    simulator.block(patterns, patterns + 8192, threads=1)
    patterns += 8192
print(patterns / (time.perf_counter() - began), flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patterns", type=int, default=1_000_000, help="patterns of a run")
    parser.add_argument("--runs", type=int, default=5, help="runs of each cluster")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--s3", action="store_true", help="only to a SeaweedFS server on this machine")
    where.add_argument("--file", action="store_true", help="only to a temporary folder")
    chosen = parser.parse_args()
    quieten_prefect()
    spec = load_spec(specs_folder() / "bulk.yaml", SimulationSpec, [f"n_patterns={chosen.patterns}"])
    with tempfile.TemporaryDirectory(prefix="difsims-benchmark-") as folder:
        print_ceiling()
        if not chosen.s3:
            compare(spec, f"file://{folder}/store", Path(folder) / "file", runs=chosen.runs)
        if not chosen.file:
            with running_s3(Path(folder) / "s3") as service:
                os.environ.update(service.environment)
                compare(spec, f"s3://{service.bucket}/benchmark", Path(folder) / "dask", runs=chosen.runs)
        print_ceiling()


def print_ceiling() -> None:
    """Print what one process and two processes at once compute in memory."""
    (alone,), both = computing(1), computing(2)
    print(
        f"ceiling: one process {alone:,.0f} patterns/s, two at once {sum(both):,.0f}, ratio {sum(both) / alone:.2f}",
        flush=True,
    )


def computing(processes: int) -> list[float]:
    """Return the rates of processes that compute at the same time, patterns/s."""
    command = [sys.executable, "-c", _COMPUTE, str(_CEILING_SECONDS)]
    pipe = subprocess.PIPE
    started = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(processes)]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return [float(process.communicate()[0]) for process in started]


def compare(spec: SimulationSpec, store: str, folder: Path, *, runs: int) -> None:
    """Print the times of all clusters to one store, and their ratios."""
    environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    with ExitStack() as stack:
        clusters = {
            name: stack.enter_context(
                running_dask(folder / str(number), workers=workers, threads=threads, environment=environment)
            )
            for number, (name, (workers, threads)) in enumerate(_CLUSTERS.items())
        }
        for cluster in clusters.values():
            run(spec.model_copy(update={"n_patterns": _WARM_UP, "seed": 1}), store, cluster)
        seconds: dict[str, list[float]] = {name: [] for name in clusters}
        for number in range(runs):
            for name, cluster in clusters.items():
                took = run(spec.model_copy(update={"seed": 100 + number}), store, cluster)
                seconds[name].append(took)
                print(f"  {name}: {took:.2f} s", flush=True)
    print(f"{store.split(':', maxsplit=1)[0]:<5}{spec.n_patterns:>10,} patterns, medians of {runs} runs:")
    alone = statistics.median(seconds[_ONE])
    for name, times in seconds.items():
        median = statistics.median(times)
        ratios = sorted(first / second for first, second in zip(seconds[_ONE], times, strict=True))
        verdict = f"; target {_TARGET}: {'met' if alone / median >= _TARGET else 'MISSED'}" if name == _TWO else ""
        print(
            f"     {name:<26}{median:8.2f} s {spec.n_patterns / median:10,.0f} patterns/s {alone / median:6.2f} times "
            f"as fast as one (run by run {ratios[0]:.2f} … {ratios[-1]:.2f}{verdict})",
            flush=True,
        )


def run(spec: SimulationSpec, store_url: str, cluster: DaskCluster) -> float:
    """Return the seconds of a new dataset on a cluster, which is removed again."""
    from flows.execution import compute

    os.environ.update(DIFSIMS_COMPUTE="dask", DIFSIMS_DASK_ADDRESS=cluster.address)
    store = open_store(store_url)
    began = time.perf_counter()
    plan = build.begin(store, spec)
    with compute.reserve_compute(plan):
        compute.write_group(store.root, spec, plan, range(plan.n_blocks))
    record = build.finish(store, plan)
    took = time.perf_counter() - began
    assert record.n_patterns == spec.n_patterns
    store.delete_tree(layout.simulation(plan.id))
    return took


if __name__ == "__main__":
    main()
