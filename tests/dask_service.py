"""A real Dask cluster for tests and benchmarks: a scheduler and workers as processes on 127.0.0.1, stopped by id.

Workers have no nanny, so that the process that computes is the one whose id is known. A test that kills one starts
another, as a supervisor would.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.services import free_ports

_ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS = 120
_OF_ITS_OWN = ("AWS_", "DIFSIMS_", "PREFECT_", "DASK_")  # variables that no worker inherits from the test


@dataclass
class DaskCluster:
    """A running scheduler, and workers that come and go.

    Attributes
    ----------
    folder
        Logs and scratch space.
    environment
        What workers are given besides the plain environment: the credentials of a store.
    scheduler_environment
        What the scheduler is given.
    """

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    scheduler_environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    port: int = field(default_factory=lambda: free_ports(1)[0])
    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    started: int = 0

    @property
    def address(self) -> str:
        """Where clients and workers find the scheduler."""
        return f"tcp://127.0.0.1:{self.port}"

    def start_scheduler(self) -> None:
        """Start the scheduler, on the port of this cluster, and wait for it."""
        monitor = free_ports(1)[0]
        options = [f"--port={self.port}", f"--dashboard-address=127.0.0.1:{monitor}", "--no-show"]
        self.scheduler = self._start("scheduler", ["--host=127.0.0.1", *options], self.scheduler_environment)
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{monitor}/health", timeout=2):
                    return
            except OSError:
                if time.monotonic() > deadline or self.scheduler.poll() is not None:
                    raise RuntimeError(f"the Dask scheduler did not start:\n{self.log()}") from None
                time.sleep(0.1)

    def start_worker(
        self, threads: int = 1, *, scheduler: str | None = None, preload: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a worker; it joins in a few seconds (``await_workers``).

        ``scheduler`` is where it finds the scheduler, when that is not its address; ``preload`` a file that it runs
        first.
        """
        options = ["--no-nanny", "--no-dashboard", f"--nthreads={threads}", "--host=127.0.0.1", "--memory-limit=0"]
        options += [f"--local-directory={self.folder / f'scratch-{self.started}'}", "--death-timeout=60"]
        options += [f"--preload={preload}"] if preload else []
        self.workers.append(self._start("worker", [scheduler or self.address, *options], self.environment))
        return self.workers[-1]

    def await_workers(self, count: int) -> None:
        """Wait until this many worker processes have joined."""
        from distributed import Client

        with Client(self.address, set_as_default=False, timeout=_START_SECONDS) as client:
            deadline = time.monotonic() + _START_SECONDS + 5 * count
            while len(client.scheduler_info(n_workers=-1)["workers"]) != count:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"expected {count} Dask workers:\n{self.log()}")
                time.sleep(0.1)

    def kill_worker(self, worker: subprocess.Popen[bytes]) -> None:
        """End a worker as a power cut would."""
        worker.kill()
        worker.wait()
        self.workers.remove(worker)

    def stop_workers(self) -> None:
        """End all workers."""
        _stop(self.workers)
        self.workers.clear()

    def stop_scheduler(self) -> None:
        """End the scheduler as a power cut would."""
        if self.scheduler is not None:
            self.scheduler.kill()
            self.scheduler.wait()

    def log(self) -> str:
        """Return the end of what the processes have written."""
        texts = [path.read_text(errors="replace")[-2000:] for path in sorted(self.folder.glob("*.log"))]
        return "\n".join(texts)

    def _start(self, program: str, options: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith(_OF_ITS_OWN)}
        # The package is imported from where the test has it from; an installed one needs no path.
        plain |= {"PYTHONPATH": str(_ROOT), "PYTHONUNBUFFERED": "1"} | dict(environment)
        self.started += 1
        with (self.folder / f"{program}-{self.started}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{program}", *options],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env=plain,
            )


@contextmanager
def running_dask(
    folder: Path,
    workers: int = 1,
    *,
    threads: int = 1,
    environment: Mapping[str, str] | None = None,
    scheduler_environment: Mapping[str, str] | None = None,
) -> Iterator[DaskCluster]:
    """Start a scheduler and workers in a folder and stop them at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster = DaskCluster(folder, environment or {}, scheduler_environment or {})
    try:
        cluster.start_scheduler()
        for _ in range(workers):
            cluster.start_worker(threads)
        cluster.await_workers(workers)
        yield cluster
    finally:
        _stop([*cluster.workers, *([cluster.scheduler] if cluster.scheduler else [])])


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """End processes at once: they have nothing to save."""
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()
