"""Whether one Dask scheduler feeds a thousand cores: the blocks of 10⁹ patterns, empty, on 1 000 worker threads.

    python -m tests.benchmarks.scheduler [--patterns 1000000000] [--workers 4] [--threads 250] [--seconds 0]

Scheduler and workers are real processes on 127.0.0.1. The plan is that of bulk.yaml with so many patterns: its blocks
and its groups. All groups are in flight at once, each in a thread of its own, and go through
``flows.execution.executors.dask.map_blocks`` with the order that real blocks have; but a block only sleeps, as long as
one takes (one is simulated first, ``--seconds`` sets it). Ideal is ``ceil(blocks / threads)`` times that. A second pass
does not sleep at all: what the scheduler does at most.

On a machine with few processors the workers take them from the scheduler, so that a pass is slower than on a real
cluster. What carries over is the scheduler's own processor time for a block, and its memory.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil

from difsims_core import SimulationSpec, load_spec
from difsims_core.dataset.plan import Plan, plan_blocks
from difsims_core.dataset.remote import block_order
from difsims_core.resources import specs_folder
from difsims_core.simulation.simulator import Simulator
from difsims_core.storage import layout
from flows.settings import Settings, quieten_prefect
from tests.dask_service import DaskCluster, running_dask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patterns", type=int, default=10**9, help="patterns of the plan")
    parser.add_argument("--workers", type=int, default=4, help="worker processes")
    parser.add_argument("--threads", type=int, default=250, help="threads of each")
    parser.add_argument("--seconds", type=float, default=0.0, help="how long a block takes; 0: simulate one and see")
    chosen = parser.parse_args()
    quieten_prefect()
    spec = load_spec(specs_folder() / "bulk.yaml", SimulationSpec, [f"n_patterns={chosen.patterns}"])
    simulator = Simulator.prepare(spec)
    plan = plan_blocks(simulator, layout.new_simulation_id(), "")
    seconds = chosen.seconds or block_seconds(simulator, plan)
    groups = plan.groups(min_blocks=Settings().blocks_per_group)
    print(
        f"{plan.n_patterns:,} patterns: {plan.n_blocks:,} blocks of {plan.block_rows:,} in {len(groups)} groups; a "
        f"block takes {seconds:.2f} s on one thread",
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="difsims-benchmark-") as folder:
        began = time.perf_counter()
        with running_dask(Path(folder), chosen.workers, threads=chosen.threads) as cluster:
            threads = chosen.workers * chosen.threads
            started = time.perf_counter() - began
            print(f"{chosen.workers} workers with {threads} threads after {started:.0f} s", flush=True)
            order = block_order(spec, plan, "s3://difsims/benchmark")
            measure(cluster, replace(plan, n_patterns=min(plan.n_patterns, 4 * threads * plan.block_rows)), order, 0.0)
            for asleep in (seconds, 0.0):
                measure(cluster, plan, order, asleep, threads)


def block_seconds(simulator: Simulator, plan: Plan) -> float:
    """Return the time that one thread takes for a block, in memory."""
    simulator.block(0, min(1024, plan.n_patterns), threads=1)
    began = time.perf_counter()
    simulator.block(*plan.rows(0), threads=1)
    return time.perf_counter() - began


def measure(cluster: DaskCluster, plan: Plan, order: dict[str, str], asleep: float, threads: int = 0) -> None:
    """Send all blocks as the flow does, and print what it took; ``threads`` 0: only to warm up."""
    from flows.execution.executors import dask as dask_executor
    from flows.execution.executors.dask_cluster import cluster as connection

    assert cluster.scheduler is not None
    scheduler, client = psutil.Process(cluster.scheduler.pid), psutil.Process()
    groups = plan.groups(min_blocks=Settings().blocks_per_group)
    with connection(cluster.address) as found, ThreadPoolExecutor(len(groups)) as pool:

        def write(group: range) -> int:
            what = order | {"seconds": str(asleep)}
            return sum(1 for _ in dask_executor.map_blocks(found, "tests.dask.functions:sleep", group, what, _nothing))

        before, own = cpu_seconds(scheduler), cpu_seconds(client)
        began = time.perf_counter()
        done = sum(pool.map(write, groups))
        took = time.perf_counter() - began
    assert done == plan.n_blocks
    if not threads:
        return
    busy, own = cpu_seconds(scheduler) - before, cpu_seconds(client) - own
    ideal = math.ceil(plan.n_blocks / threads) * asleep
    against = f"ideal {ideal:.1f} s, {100 * ideal / took:.0f} % of the threads' time used" if ideal else "no sleep"
    print(
        f"blocks of {asleep:.2f} s: {took:.1f} s, {done / took:,.0f} blocks/s ({against}); scheduler {busy:.1f} s of "
        f"processor time, {1e3 * busy / done:.2f} ms a block, {100 * busy / took:.0f} % busy, memory "
        f"{scheduler.memory_info().rss / 1e6:.0f} MB; flow's process {own:.1f} s, {1e3 * own / done:.2f} ms a block",
        flush=True,
    )


def cpu_seconds(process: psutil.Process) -> float:
    """Return the processor time that a process has used."""
    used = process.cpu_times()
    return used.user + used.system


def _nothing() -> None:
    pass


if __name__ == "__main__":
    main()
