"""A Prefect server as a facility runs it: a process of its own, a database elsewhere, basic auth."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.services import free_ports

_ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 180
_STOP_SECONDS = 5  # a test server is thrown away: no need to wait for its tidy end


@dataclass(frozen=True)
class PrefectService:
    """A running server, and what its clients need."""

    url: str
    auth: str = field(repr=False)

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return what the API answers to somebody who may ask."""
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                "Authorization": f"Basic {b64encode(self.auth.encode()).decode()}",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.loads(answer.read())


@contextmanager
def running_prefect(folder: Path, database: str) -> Iterator[PrefectService]:
    """Start a server on a database, with a password of its own, and stop it at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_ports(1)[0]
    service = PrefectService(f"http://127.0.0.1:{port}/api", f"difsims:{secrets.token_hex(16)}")
    settings = {
        "PREFECT_HOME": str(folder / "home"),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": database,
        "PREFECT_SERVER_API_AUTH_STRING": service.auth,
        "PREFECT_API_URL": service.url,
        "PREFECT_API_AUTH_STRING": service.auth,
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment(settings), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        _await(process, service, folder / "server.log")
        yield service
    finally:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its own session: nobody else's process is in this group
        process.wait()


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the surroundings of a process that knows these settings of Prefect and S3, and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "AWS_", "DIFSIMS_"))}
    quiet = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", "PYTHONPATH": str(_ROOT)}
    return kept | quiet | dict(settings)


def difsims(*arguments: str, settings: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "flows.cli.app", *arguments],
        env=environment(settings), capture_output=True, text=True, check=False, timeout=240, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def _await(process: subprocess.Popen[bytes], service: PrefectService, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError):
            if service.ask("GET", "/health") is True:
                return
        time.sleep(0.3)
    raise RuntimeError(f"the Prefect server did not start:\n{log.read_text(errors='replace')[-3000:]}")
