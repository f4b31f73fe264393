"""What one block of a dataset costs a worker of a cluster: processor time, requests, bytes and memory.

    python -m tests.benchmarks.one_block [--patterns 1000000000] [--blocks 4] [--threads 1 2 4] [--shards 4]

The plan is that of bulk.yaml with so many patterns. Blocks are written by what workers call, ``write_remote_block``, in
processes of their own: into a temporary folder and to a real S3 server on this machine, by as many threads as
``--threads`` says, ``--blocks`` each, with ``--shards`` arrays of a block on their way at once. Processor time is that
of the worker's process and does not depend on what else the machine does; seconds do. Memory is the most that it
had resident, with all it had loaded before.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from difsims_core import SimulationSpec, load_spec
from difsims_core.dataset import build, write
from difsims_core.dataset.remote import block_order, write_remote_block
from difsims_core.resources import specs_folder
from difsims_core.simulation.simulator import Simulator
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from tests.services import running_s3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patterns", type=int, default=10**9, help="patterns of the plan")
    parser.add_argument("--blocks", type=int, default=4, help="blocks that each thread writes, two at least")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2, 4], help="threads of a worker, in turn")
    parser.add_argument("--shards", type=int, default=4, help="shards of a block that are written at once")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.worker:
        work(chosen.worker, chosen.threads[0], chosen)
        return
    with tempfile.TemporaryDirectory(prefix="difsims-benchmark-") as folder:
        for threads in chosen.threads:
            show(f"file://{folder}/store-{threads}", threads, chosen)
        with running_s3(Path(folder) / "s3") as service:
            os.environ.update(service.environment)
            for threads in chosen.threads:
                show(f"s3://{service.bucket}/{threads}", threads, chosen)


def show(store: str, threads: int, chosen: argparse.Namespace) -> None:
    """Run a worker in a process of its own and print what it found."""
    options = [f"--{name}={getattr(chosen, name)}" for name in ("patterns", "blocks", "shards")]
    options += [f"--threads={threads}", f"--worker={store}"]
    command = [sys.executable, "-m", "tests.benchmarks.one_block", *options]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(
        f"{store.split(':', maxsplit=1)[0]:<5}{threads} threads, blocks of {found['rows']:,}: {found['all']:.2f} s of "
        f"processor time a block ({found['memory']:.2f} s in memory alone), {found['seconds']:.2f} s by the clock; "
        f"{found['objects']} objects and a receipt, {found['bytes'] / found['rows']:.0f} bytes a pattern, "
        f"{found['bytes'] / 1e6:.0f} MB; resident {found['before']:.0f} MB before, {found['peak']:.0f} MB at most",
        flush=True,
    )


def work(store_url: str, threads: int, chosen: argparse.Namespace) -> None:
    """Write blocks in this process and print, as JSON, what that took."""
    write._SHARDS_AT_ONCE = chosen.shards
    spec = load_spec(specs_folder() / "bulk.yaml", SimulationSpec, [f"n_patterns={chosen.patterns}"])
    store, simulator = open_store(store_url), Simulator.prepare(spec)
    plan = build.begin(store, spec, simulator=simulator)
    order = block_order(spec, plan, store.root)
    last = plan.n_blocks - 1
    write_remote_block(last, **order)  # short: compiles, loads and connects
    before = resident_mb()
    blocks = range(min(threads * chosen.blocks, last))
    began, busy = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda block: write_remote_block(block, **order), blocks))
    took, used = time.perf_counter() - began, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    busy = time.process_time()
    simulator.block(*plan.rows(0), threads=1)
    shards = [item for item in store.describe(layout.simulation(plan.id)) if is_of_block(item.key, 1)]
    found: dict[str, Any] = {
        "rows": plan.block_rows,
        "all": used / len(blocks),
        "memory": time.process_time() - busy,
        "seconds": took * threads / len(blocks),
        "objects": len(shards),
        "bytes": sum(item.size for item in shards),
        "before": before,
        "peak": peak,
    }
    print(json.dumps(found))


def is_of_block(key: str, block: int) -> bool:
    """Return whether an object is a shard of a block."""
    return key.partition("/c/")[2].partition("/")[0] == str(block)


def resident_mb() -> float:
    """Return the resident set size of this process, MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
