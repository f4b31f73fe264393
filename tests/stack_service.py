"""A whole platform for tests: what `difsims up` starts, in a folder and on ports of its own, gone in the end."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows.stack.api import PrefectApi
from flows.stack.records.folder import StackFolder
from flows.stack.services.processes import stack_processes
from flows.stack.supervision.supervisor import Supervisor
from tests.services import free_ports

READY_SECONDS = 400
RUN_SECONDS = 480  # more than any wait for locks of the database
_FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


class RunningStack:
    """A ``difsims up`` in a process of its own.

    Parameters
    ----------
    folder
        Its state; one that exists is continued.
    options
        Of the command line, beside folder and ports.
    environment
        Variables to add to this process's own.
    """

    def __init__(self, folder: Path, options: tuple[str, ...] = (), environment: Mapping[str, str] = {}) -> None:
        self.folder, self.options = StackFolder(folder.resolve()), options
        self._added = dict(environment)
        self.out, self.err = folder.with_name(f"{folder.name}.out"), folder.with_name(f"{folder.name}.err")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it says how to use it."""
        own: list[str] = []
        if self.folder.load_state() is None:
            for service, port in zip(("prefect", "s3"), free_ports(2), strict=True):
                existing = {"prefect": "--prefect-api", "s3": "--s3"}[service]
                own += [] if existing in self.options else [f"--{service}-port", str(port)]
        self.process = self.launch(*own, *self.options)
        wait_until(self._is_ready, READY_SECONDS, lambda: f"the stack did not start:\n{self.story}")

    def launch(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start ``difsims up`` on this folder and return at once."""
        with self.out.open("wb") as out, self.err.open("wb") as err:
            return subprocess.Popen(
                [sys.executable, "-m", "flows.cli.app", "up", "--folder", str(self.folder.root), *arguments],
                stdout=out,
                stderr=err,
                stdin=subprocess.DEVNULL,
                env=clean_environment() | self._added,
                start_new_session=True,
            )

    @property
    def story(self) -> str:
        """What it has said so far."""
        return self.out.read_text(errors="replace") + self.err.read_text(errors="replace")

    @property
    def variables(self) -> dict[str, str]:
        """What a user's shell gets by sourcing its file."""
        return _exported(self.folder.environment)

    @property
    def reader_variables(self) -> dict[str, str]:
        """The same of the file for readers."""
        return _exported(self.folder.reader_environment)

    @property
    def environment(self) -> dict[str, str]:
        """Whole environment of a process that uses the stack."""
        return clean_environment() | self.variables

    @property
    def store(self) -> str:
        """Root URL of its store."""
        return self.variables["DIFSIMS_STORE"]

    @property
    def api(self) -> PrefectApi:
        """Its Prefect API."""
        variables = self._added | self.variables
        return PrefectApi(variables["PREFECT_API_URL"], variables.get("PREFECT_API_AUTH_STRING"))

    @property
    def id(self) -> str:
        """Its id, which its processes carry in their environment."""
        state = self.folder.load_state()
        assert state is not None
        return state.id

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of its programs: ``s3``, ``server``, ``worker``; 0 while one is not there."""
        return {name: state.pid for name, state in Supervisor(self.folder).states().items()}

    def flow_pids(self, run: str) -> list[int]:
        """Return the ids of the processes of a flow run."""
        return [
            process.pid for process in stack_processes(self.id) if process.environ().get("PREFECT__FLOW_RUN_ID") == run
        ]

    def submit(self, deployment: str, parameters: Mapping[str, Any], **job_variables: float) -> str:
        """Create a run of a deployment and return its id."""
        found = self.api.get(f"/deployments/name/{deployment}")
        assert found is not None, f"there is no deployment {deployment}"
        body = {"parameters": dict(parameters), "state": {"type": "SCHEDULED"}, "job_variables": job_variables}
        return self.api.post(f"/deployments/{found['id']}/create_flow_run", body)["id"]

    def read(self, run: str) -> dict[str, Any]:
        """Return a flow run as the API tells it."""
        return self.api.get(f"/flow_runs/{run}")

    def wait(self, run: str, *states: str, seconds: float = RUN_SECONDS) -> dict[str, Any]:
        """Wait until a run is in one of the states (types or names), by default a final one, and return it."""

        def reached() -> bool:
            state = self.read(run)["state"]
            return bool({state["type"], state["name"]} & (set(states) or _FINAL))

        def late() -> str:
            found = self.read(run)
            return f"{found['name']} is {found['state']['name']}, expected {states or 'its end'}\n{self.logs_of(run)}"

        wait_until(reached, seconds, late)
        return self.read(run)

    def runs_of(self, flow: str) -> list[dict[str, Any]]:
        """Return all runs of a flow, the latest first."""
        return self.api.all("/flow_runs/filter", {"flows": {"name": {"any_": [flow]}}, "sort": "START_TIME_DESC"})

    def artifacts_of(self, run: str) -> dict[str, dict[str, Any]]:
        """Return the artifacts of a run by their keys."""
        found = self.api.all("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run]}}})
        return {item["key"]: item for item in found if item["key"]}

    def logs_of(self, run: str) -> str:
        """Return the log of a run."""
        found = self.api.all("/logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_ASC"})
        return "\n".join(item["message"] for item in found)

    def interrupt(self, seconds: float = 120) -> int:
        """Press Ctrl-C, wait, and return the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(seconds)

    def remove(self) -> None:
        """End whatever is left of it, by process id."""
        if self.process is not None and self.process.poll() is None:
            try:
                self.interrupt()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        state = self.folder.load_state()
        for process in stack_processes(state.id) if state else []:
            process.kill()

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"difsims up ended with {self.process.returncode}:\n{self.story}"
        return "Ctrl-C stops everything" in self.out.read_text(errors="replace")


@contextmanager
def running_stack(
    folder: Path, *options: str, environment: Mapping[str, str] = {}, quick_heartbeat_timeout: bool = False
) -> Iterator[RunningStack]:
    """Start ``difsims up`` in a folder, wait until it is ready, and stop it at the end.

    Parameters
    ----------
    folder
        Its state.
    options
        Further ones of the command line.
    environment
        Variables to add to this process's own.
    quick_heartbeat_timeout
        Runs without heartbeats are declared crashed after 75 s, a quarter of what is usual: one may be late.
    """
    if quick_heartbeat_timeout:
        options = (*options, "--heartbeat-timeout", "75")
    stack = RunningStack(folder, options, environment)
    try:
        stack.start()
        yield stack
    finally:
        stack.remove()


def wait_until(reached: Callable[[], bool], seconds: float, late: Callable[[], str]) -> None:
    """Wait until something is so; fail with what ``late`` says when it is not in time."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, late()
        time.sleep(0.5)


def clean_environment() -> dict[str, str]:
    """Return this process's environment without its own stores and servers."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DIFSIMS_", "PREFECT_"))}


def _exported(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line.startswith("export ")]
    return dict(shlex.split(line)[1].split("=", 1) for line in lines)
