"""A PostgreSQL server for tests: Debian's binaries, a folder of its own, passwords, 127.0.0.1."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.services import free_ports

OWNER = "prefect"
"""The role that owns Prefect's databases; it is no superuser."""

_START_SECONDS = 60


class Postgres:
    """A running server.

    Attributes
    ----------
    port : int
        On 127.0.0.1.
    password : str
        Of the role ``prefect``.
    """

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.binaries, self.folder, self.port = binaries, folder, free_ports(1)[0]
        self.password, self._root_password = secrets.token_hex(16), secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make the cluster, start the server, add the role."""
        password_file = self.folder / "password"
        password_file.write_text(self._root_password)
        shutil.chown(password_file, _server_user())
        self._run(
            "initdb", f"--pgdata={self._data}", "--username=root", f"--pwfile={password_file}",
            "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync",
        )  # fmt: skip
        password_file.unlink()
        options = [
            "--listen_addresses=127.0.0.1", f"--port={self.port}", "--unix_socket_directories=",
            "--fsync=off",  # the folder is thrown away
        ]  # fmt: skip
        with (self.folder / "postgres.log").open("wb") as log:
            self._process = subprocess.Popen(
                [self.binaries / "postgres", "-D", self._data, *options],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder, **_as_server_user(),
            )  # fmt: skip
        self._await()
        self.sql("postgres", f"CREATE ROLE {OWNER} LOGIN PASSWORD '{self.password}'", as_root=True)

    def stop(self) -> None:
        """Disconnect everybody and end it."""
        if self._process is not None:
            self._process.send_signal(2)  # SIGINT: what PostgreSQL calls a fast shutdown
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def create(self, database: str) -> str:
        """Make an empty database of the role's own and return its address, as Prefect wants it."""
        self.sql("postgres", f"CREATE DATABASE {database} OWNER {OWNER}", as_root=True)
        return f"postgresql+asyncpg://{OWNER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def sql(self, database: str, command: str, *, as_root: bool = False) -> str:
        """Run a statement and return what it prints."""
        return self.client("psql", "-qAt", "-v", "ON_ERROR_STOP=1", database, as_root=as_root, text=command)

    def client(self, program: str, *arguments: str, as_root: bool = False, text: str | None = None) -> str:
        """Run a program that talks to the server; passwords and statements stay off its command line."""
        role, password = ("root", self._root_password) if as_root else (OWNER, self.password)
        environment = {
            "PATH": os.environ["PATH"], "PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": role,
            "PGPASSWORD": password,
        }  # fmt: skip
        done = subprocess.run(
            [self.binaries / program, *arguments],
            env=environment,
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{program}: {done.stderr}"
        return done.stdout

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self.binaries / program, *arguments],
            cwd=self.folder, capture_output=True, text=True, check=False, **_as_server_user(),
        )  # fmt: skip
        assert done.returncode == 0, f"{program}: {done.stderr}"

    def _await(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
            ready = subprocess.run(
                [self.binaries / "pg_isready", "-h", "127.0.0.1", "-p", str(self.port)],
                capture_output=True,
                check=False,
            )
            if ready.returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError(f"PostgreSQL did not start:\n{(self.folder / 'postgres.log').read_text()[-2000:]}")


def postgres_binaries() -> Path:
    """Return the folder of the newest server that Debian installed; without one the test is skipped, in CI it fails."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    reason = "PostgreSQL is not installed (Debian: apt-get install postgresql)"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Start a server in a folder that another user may enter, and remove both at the end."""
    binaries = postgres_binaries()
    folder = Path(tempfile.mkdtemp(prefix="difsims-postgres-"))
    shutil.chown(folder, _server_user())
    server = Postgres(binaries, folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _server_user() -> int:
    """Return the user that the server runs as: PostgreSQL refuses root."""
    if os.geteuid():
        return os.geteuid()
    names = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    return names.get("postgres", names.get("nobody", 65534))


def _as_server_user() -> dict[str, object]:
    return (
        {}
        if os.geteuid()
        else {"user": _server_user(), "group": pwd.getpwuid(_server_user()).pw_gid, "extra_groups": []}
    )
