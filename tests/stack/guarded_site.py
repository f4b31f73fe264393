"""A Prefect server with the login of a stack, and its worker: what whoever may use the API can do."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from flows.stack.api import PrefectApi
from flows.stack.records.environment import Services, program_environment
from flows.stack.records.folder import StackFolder
from flows.stack.services.processes import flow_runs
from flows.stack.services.programs import POOL, worker_program
from tests.stack_service import wait_until

SECONDS = 180


FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


SHELL = {  # what the user's shell may have of other servers
    "WEB_CONCURRENCY": "2",
    "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": "*",
    "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": "*",
    "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "false",
    "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "false",
    "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",
    "PREFECT_SERVER_API_AUTH_STRING": "difsims:guessed",
    "PREFECT_API_AUTH_STRING": "difsims:guessed",
}


@dataclass(frozen=True)
class Site:
    """A running server, as its owner knows it."""

    address: str
    folder: StackFolder
    services: Services

    @property
    def api(self) -> PrefectApi:
        return PrefectApi(self.services.api, self.services.login)

    @property
    def login(self) -> tuple[str, str]:
        user, _, password = (self.services.login or "").partition(":")
        return user, password

    @property
    def port(self) -> int:
        assert self.services.prefect_port is not None
        return self.services.prefect_port


def deploy(site: Site, flow: str, deployment: Mapping[str, Any]) -> str:
    """Make a deployment as whoever may use the API can, and return its id."""
    flow_id = site.api.post("/flows/", {"name": flow})["id"]
    body = {"flow_id": flow_id, "name": os.urandom(4).hex(), "work_pool_name": POOL, "paused": True, **deployment}
    return site.api.post("/deployments/", body)["id"]


def submit(site: Site, deployment: str, variables: Mapping[str, Any]) -> str:
    body = {"state": {"type": "SCHEDULED"}, "job_variables": dict(variables)}
    return site.api.post(f"/deployments/{deployment}/create_flow_run", body)["id"]


@contextmanager
def worker(site: Site) -> Iterator[Path]:
    """Run the worker of a stack; give its log."""
    log = site.folder.logs / "worker.log"
    environment = program_environment(site.folder, "access", site.services)
    with log.open("wb") as file:
        process = subprocess.Popen(
            worker_program("of-the-test").command, env=environment, stdout=file, stderr=file, stdin=subprocess.DEVNULL,
            cwd=site.folder.scratch,
        )  # fmt: skip
    try:
        yield log
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def kill_once(run: str) -> None:
    """Kill the process of a run as soon as there is one: its worker then looks for hooks of the flow."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if found := flow_runs(psutil.process_iter()).get(run):
            os.kill(found[0].pid, signal.SIGKILL)
            return
        time.sleep(0.05)
    raise AssertionError("the run never had a process")


def await_end(site: Site, run: str, log: Path) -> dict[str, Any]:
    def state() -> dict[str, Any]:
        return site.api.get(f"/flow_runs/{run}")["state"]

    wait_until(lambda: state()["type"] in FINAL, SECONDS, lambda: f"{state()}\n{log.read_text(errors='replace')}")
    return state()
