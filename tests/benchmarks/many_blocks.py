"""What it costs to find out how far a dataset of 10⁹ patterns is: its objects, empty, in a folder and on a S3 server.

    python -m tests.benchmarks.many_blocks [--patterns 1000000000] [--file | --s3]

The dataset is begun as always. Then every shard of every block is written, one byte long, and every receipt with the
content that it would have. Timed are the steps whose cost grows with the number of blocks: finding no receipts in a new
dataset, finding and reading all of them, and finishing, which reads them again and lists every object. Requests are
those of the S3 protocol: a listing gives a thousand objects.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from difsims_core import SimulationSpec, load_spec
from difsims_core.dataset import build
from difsims_core.dataset.plan import Plan
from difsims_core.dataset.receipts import block_arrays, make_receipt, read_receipts, write_receipt
from difsims_core.dataset.write import block_targets
from difsims_core.resources import specs_folder
from difsims_core.simulation.simulator import Simulator
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore, open_store
from difsims_core.storage.zarr.written import Written
from tests.services import running_s3

_WRITERS = 16
_PAGE = 1000  # objects of one listing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patterns", type=int, default=10**9, help="patterns of the plan")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--s3", action="store_true", help="only to a SeaweedFS server on this machine")
    where.add_argument("--file", action="store_true", help="only to a temporary folder")
    chosen = parser.parse_args()
    spec = load_spec(specs_folder() / "bulk.yaml", SimulationSpec, [f"n_patterns={chosen.patterns}"])
    with tempfile.TemporaryDirectory(prefix="difsims-benchmark-") as folder:
        if not chosen.s3:
            measure(open_store(f"file://{folder}/store"), spec)
        if not chosen.file:
            with running_s3(Path(folder) / "s3") as service:
                os.environ.update(service.environment)
                measure(open_store(f"s3://{service.bucket}/benchmark"), spec)


def measure(store: ObjectStore, spec: SimulationSpec) -> None:
    """Print what the steps take that grow with the number of blocks."""
    plan = build.begin(store, spec)
    nothing = seconds_of(lambda: read_receipts(store, plan))
    began = time.perf_counter()
    objects, receipt_bytes = fill(store, plan, Simulator.prepare(spec))
    filled = time.perf_counter() - began
    reading = seconds_of(lambda: read_receipts(store, plan))
    finishing = seconds_of(lambda: build.finish(store, plan))
    pages = -(-plan.n_blocks // _PAGE)
    print(
        f"{store.root.split(':', maxsplit=1)[0]:<5}{plan.n_patterns:>14,} patterns: {plan.n_blocks:,} blocks, "
        f"{objects:,} objects and {plan.n_blocks:,} receipts of {receipt_bytes / 1e3:.1f} kB, written in "
        f"{filled:.0f} s ({(objects + plan.n_blocks) / filled:,.0f} objects/s)\n"
        f"     no receipts found in {nothing:.2f} s (1 listing); all found and read in {reading:.1f} s ({pages} "
        f"listings, {plan.n_blocks:,} reads); finished in {finishing:.1f} s (these, and the metadata)",
        flush=True,
    )


def fill(store: ObjectStore, plan: Plan, simulator: Simulator) -> tuple[int, int]:
    """Write all objects of all blocks, and return their number and the size of a receipt."""
    block = simulator.block(0, 1024)
    arrays = block_arrays(plan, block)
    written = {path: Written.of(rows, b"\0") for path, rows in arrays.items()}
    targets, group = block_targets(store, plan), layout.simulation(plan.id)
    assert targets.keys() == arrays.keys()

    def write(number: int) -> None:
        for path, array in targets.items():
            key = array.metadata.encode_chunk_key((number,) + (0,) * (array.ndim - 1))
            store.write(f"{group}/{path}/{key}", b"\0")
        start, stop = plan.rows(number)
        write_receipt(store, make_receipt(plan, Rows(start, stop, block.y), written))  # type: ignore[arg-type]

    with ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(write, range(plan.n_blocks)))
    return len(targets) * plan.n_blocks, len(store.read(layout.receipt(plan.id, 0)))


class Rows:
    """What a receipt takes from a block."""

    def __init__(self, start: int, stop: int, y: np.ndarray) -> None:
        self.start, self.stop, self.y = start, stop, y


def seconds_of(call: Callable[[], object]) -> float:
    """Return the seconds of a call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
