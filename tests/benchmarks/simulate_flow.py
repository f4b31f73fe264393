"""End-to-end rate of the ``simulate`` flow, its peak memory, and the bytes that it stores.

    python -m tests.benchmarks.simulate_flow [--patterns 300000] [--spec SPEC.yaml] [--store URL | --s3]

Without ``--store`` or ``--s3`` the flow runs to a temporary folder and to a real S3 server on this machine. Time runs
from the call of the flow to its return: plan, simulation, compression, storage, receipts, records, artifacts.
Compilation (numba) happens before, on a small dataset. Each result is verified: checksums, one block simulated again.
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

from difsims_core import SimulationSpec, load_spec, open_simulation
from difsims_core.dataset.verify import verify
from difsims_core.resources import specs_folder
from difsims_core.storage.objects import open_store
from flows.session import flow_session
from tests.services import running_s3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patterns", type=int, default=300_000, help="patterns to simulate")
    parser.add_argument("--spec", type=Path, default=specs_folder() / "reference.yaml", help="document")
    parser.add_argument("--store", help="store to use")
    parser.add_argument("--s3", action="store_true", help="only to a SeaweedFS server on this machine")
    arguments = parser.parse_args()
    spec = load_spec(arguments.spec, SimulationSpec, [f"n_patterns={arguments.patterns}"])
    with tempfile.TemporaryDirectory(prefix="difsims-benchmark-") as folder, flow_session("flows.simulate"):
        if arguments.store:
            measure(spec, arguments.store)
            return
        if not arguments.s3:
            measure(spec, f"file://{folder}/store")
        with running_s3(Path(folder) / "s3") as service:
            os.environ.update(service.environment)
            measure(spec, f"s3://{service.bucket}/benchmark")


def measure(spec: SimulationSpec, store: str) -> None:
    """Run the flow once and print what it took."""
    from flows.simulate import simulate

    simulate(spec.model_copy(update={"n_patterns": 3000, "seed": spec.seed + 1}), store)
    with watched_memory() as memory:
        started = time.perf_counter()
        simulation = open_simulation(simulate(spec, store), open_store(store))
        seconds = time.perf_counter() - started
    report = verify(simulation.store, simulation.id, resimulate=1)
    assert report.ok, report.failures
    stored = simulation.completion["stored_bytes"]
    print(
        f"{store.split(':', maxsplit=1)[0]}  {spec.n_patterns:,} patterns, {os.cpu_count()} cores: {seconds:.1f} s, "
        f"{spec.n_patterns / seconds:,.0f} patterns/s end to end; "
        f"peak memory {memory['peak']:.0f} MB ({memory['start']:.0f} MB before); "
        f"{stored / 1e6:.0f} MB stored, {stored / spec.n_patterns:.0f} bytes a pattern; verified"
    )


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
