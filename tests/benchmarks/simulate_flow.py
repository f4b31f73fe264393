"""End-to-end rate of the ``simulate`` flow, its peak memory, the bytes that it stores, and their rounding error.

    python -m tests.benchmarks.simulate_flow [--patterns 2500000] [--series] [--all-bins] [--store URL | --s3 | --file]

The document is bulk.yaml; with ``--all-bins`` it is simulated a second time with 1d/x_all. Without a choice of the
store the flow runs to a temporary folder and to a real S3 server on this machine, which shares its processors. Time
runs from the call of the flow to its return: plan, simulation, compression, storage, receipts, records, artifacts.
Compilation (numba) happens before, on a small dataset, which also brings memory to where it stays. The kernels' own
rate on two threads, blocks in memory and nothing else, is measured before and after each run. Each result is verified
(checksums, one block simulated again) and then removed.

``--series`` runs n/25, n/5 and n patterns, so that one sees whether memory grows, and puts a straight line through
their times; what it says of 10⁷ patterns is an extrapolation.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import numpy as np

from difsims_core import SimulationSpec, load_spec, open_simulation
from difsims_core.dataset.verify import verify
from difsims_core.resources import specs_folder
from difsims_core.simulation.simulator import Simulator
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore, open_store
from flows.cli.session import flow_session
from tests.services import running_s3

_KERNEL_PATTERNS = 65_536
_WARM_UP = 40_000  # more than two blocks, so that memory has what it keeps for good
_LARGEST_ERROR = 2.5e-4  # half a step of ten bits of mantissa below 1, where steps are widest
_EXTRAPOLATED = 10**7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patterns", type=int, default=2_500_000, help="patterns to simulate")
    parser.add_argument("--spec", type=Path, default=specs_folder() / "bulk.yaml", help="document")
    parser.add_argument("--series", action="store_true", help="a 25th, a fifth and all of the patterns")
    parser.add_argument("--all-bins", action="store_true", help="also with 1d/x_all")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--store", help="store to use")
    where.add_argument("--s3", action="store_true", help="only to a SeaweedFS server on this machine")
    where.add_argument("--file", action="store_true", help="only to a temporary folder")
    chosen = parser.parse_args()
    specs = [load_spec(chosen.spec, SimulationSpec, [f"n_patterns={chosen.patterns}"])]
    if chosen.all_bins:
        specs.append(specs[0].model_copy(update={"output": specs[0].output.model_copy(update={"x_all": True})}))
    for spec in specs:
        error = rounding_error(spec)
        print(
            f"x_all {spec.output.x_all}: stored intensities differ from exact ones by at most {error:.2e}", flush=True
        )
    with tempfile.TemporaryDirectory(prefix="difsims-benchmark-") as folder, flow_session("flows.simulate"):
        if chosen.store or not chosen.s3:
            compare(specs, chosen.store or f"file://{folder}/store", series=chosen.series)
        if chosen.s3 or not (chosen.store or chosen.file):
            with running_s3(Path(folder) / "s3") as service:
                os.environ.update(service.environment)
                compare(specs, f"s3://{service.bucket}/benchmark", series=chosen.series)


def compare(specs: list[SimulationSpec], store: str, *, series: bool) -> None:
    """Run all that was asked for to one store."""
    from flows.simulate import simulate

    for spec in specs:
        few = {"n_patterns": min(spec.n_patterns, _WARM_UP), "seed": spec.seed + 1}
        simulate(spec.model_copy(update=few), store)
        sizes = [max(1, spec.n_patterns // part) for part in ((25, 5, 1) if series else (1,))]
        seconds = [measure(spec.model_copy(update={"n_patterns": size}), store) for size in sizes]
        if series:
            slope, start = np.polyfit(sizes, seconds, 1)
            total = start + slope * _EXTRAPOLATED
            print(
                f"  a straight line through these: {start:.1f} s + {1e6 * slope:.1f} µs a pattern; 10⁷ patterns would "
                f"take {total / 60:.1f} min (extrapolated, not measured)",
                flush=True,
            )


def measure(spec: SimulationSpec, store: str) -> float:
    """Run the flow once, print what it took, and return its seconds."""
    from flows.simulate import simulate

    before = kernel_rate(spec)
    with watched_memory() as memory:
        started = time.perf_counter()
        simulation_id = simulate(spec, store)
        seconds = time.perf_counter() - started
    after = kernel_rate(spec)
    opened = open_store(store)
    simulation = open_simulation(simulation_id, opened)
    report = verify(simulation.store, simulation.id, resimulate=1)
    assert report.ok, report.failures
    assert simulation["1d/x_px"].shape[0] == spec.n_patterns
    rate, kernels = spec.n_patterns / seconds, (before + after) / 2
    print(
        f"{store.split(':', maxsplit=1)[0]:<5}{spec.n_patterns:>10,} patterns, x_all {spec.output.x_all}, "
        f"{os.cpu_count()} processors: {seconds:.1f} s, {rate:,.0f} patterns/s end to end; kernels alone on two "
        f"threads {before:,.0f}/s before and {after:,.0f}/s after, ratio {rate / kernels:.2f}; peak memory "
        f"{memory['peak']:.0f} MB ({memory['start']:.0f} MB before)\n"
        f"  bytes a pattern: {stored_bytes(opened, simulation.id, spec.n_patterns)}; verified",
        flush=True,
    )
    opened.delete_tree(layout.simulation(simulation.id))
    return seconds


def stored_bytes(store: ObjectStore, simulation_id: str, n_patterns: int) -> str:
    """Return the size of parts of a dataset in the store, bytes a pattern, as text."""
    group = layout.simulation(simulation_id)
    names = {"1d/x_px": "1d/x_px", "1d/x_all": "1d/x_all", "draws": "draws", "": "everything"}
    sizes = {shown: store.tree_bytes(f"{group}/{name}".rstrip("/")) for name, shown in names.items()}
    return ", ".join(f"{shown} {size / n_patterns:.1f}" for shown, size in sizes.items() if size)


def kernel_rate(spec: SimulationSpec) -> float:
    """Return patterns/s of blocks in memory on two threads."""
    n = min(spec.n_patterns, _KERNEL_PATTERNS)
    simulator = Simulator.prepare(spec)
    simulator.block(0, min(n, 1024), threads=2)
    started = time.perf_counter()
    for start in range(0, n, 16_384):
        simulator.block(start, min(n, start + 16_384), threads=2)
    return n / (time.perf_counter() - started)


def rounding_error(spec: SimulationSpec) -> float:
    """Return the largest difference between stored intensities and exact float32 of the same patterns."""
    n = min(spec.n_patterns, 4096)
    exact = spec.model_copy(update={"output": spec.output.model_copy(update={"precision": "exact"})})
    stored, other = (Simulator.prepare(each).block(0, n) for each in (spec, exact))
    differences = [np.abs(stored.x_px.astype(float) - other.x_px)]
    if stored.x_all is not None and other.x_all is not None:
        differences.append(np.abs(stored.x_all.astype(float) - other.x_all))
    largest = float(max(difference.max() for difference in differences))
    assert largest <= _LARGEST_ERROR, largest
    return largest


@contextmanager
def watched_memory() -> Iterator[dict[str, float]]:
    """Sample the resident memory of this process, MB."""
    memory = {"start": resident_mb(), "peak": resident_mb()}
    over = Event()

    def watch() -> None:
        while not over.wait(0.02):
            memory["peak"] = max(memory["peak"], resident_mb())

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        over.set()
        thread.join()


def resident_mb() -> float:
    """Return the resident set size of this process, MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
