"""A real Prefect server with its UI, as a process on 127.0.0.1 with a folder of its own, stopped by its id."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from flows.stack.services.programs import PREFECT_SERVER
from tests.services import free_ports

_START_SECONDS = 180
_STOP_SECONDS = 20


@contextmanager
def running_prefect(
    folder: Path,
    server: Sequence[str] = PREFECT_SERVER,
    settings: Callable[[int], Mapping[str, str]] = lambda _port: {},
) -> Iterator[str]:
    """Start a server in a folder, wait until it answers, and give its address, without ``/api``.

    Parameters
    ----------
    folder
        Its state.
    server
        The command.
    settings
        Port → variables to add to its environment.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    address, log = f"http://127.0.0.1:{port}", folder / "server.log"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    # The pages ask for the API where PREFECT_API_URL says; the port of the command line they do not know.
    own = {
        "PREFECT_HOME": str(folder),
        "PREFECT_API_URL": f"{address}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        **settings(port),
    }
    command = [*server, "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL, env=plain | own)
    try:
        _await_health(process, address, log)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_health(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/api/health", timeout=2):  # noqa: S310
                return
        except OSError:
            time.sleep(0.3)
    raise RuntimeError(f"the Prefect server did not start:\n{log.read_text(errors='replace')[-2000:]}")
