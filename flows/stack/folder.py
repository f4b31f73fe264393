"""The state of a stack: one folder that holds all of it, and what it remembers of earlier starts."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from flows.stack.errors import StackError, StackOptionError

_UNUSABLE = set(";#%\"'\n")  # they mean something in supervisor's configuration
_LONGEST_SOCKET_PATH = 100  # bytes; the system allows 104 to 108


@dataclass(frozen=True, slots=True)
class Memory:
    """What a folder remembers.

    Attributes
    ----------
    id : str
        Of the stack; its processes carry it in their environment and are found by it.
    ports : dict
        Port by the name of its service.
    s3 : str or None
        Root URL of the store where an existing one is used; None: the stack's own SeaweedFS.
    prefect_api : str or None
        Address of the Prefect API where an existing one is used; None: the stack's own server.
    deployed : str
        Digest of what the deployments were made of when they were last made.
    """

    id: str = field(default_factory=lambda: uuid4().hex)
    ports: dict[str, int] = field(default_factory=dict)
    s3: str | None = None
    prefect_api: str | None = None
    deployed: str = ""


@dataclass(frozen=True, slots=True)
class StackFolder:
    """Where everything of a stack lies.

    Attributes
    ----------
    root : Path
        Absolute path of the folder.
    """

    root: Path

    @property
    def credentials(self) -> Path:
        """Secrets: S3 identities in SeaweedFS's own form, and the login of the Prefect server (mode 0600)."""
        return self.root / "credentials.json"

    @property
    def environment(self) -> Path:
        """Lines for a shell, to use the stack from there (mode 0600)."""
        return self.root / "environment"

    @property
    def reader_environment(self) -> Path:
        """The same for somebody who may read the store and not write (mode 0600)."""
        return self.root / "environment-reader"

    @property
    def objects(self) -> Path:
        """Data of SeaweedFS."""
        return self.root / "seaweedfs"

    @property
    def prefect_home(self) -> Path:
        """Prefect's own folder: database, leases of concurrency slots."""
        return self.root / "prefect"

    @property
    def leases(self) -> Path:
        """Leases of concurrency slots, as Prefect's file system storage keeps them."""
        return self.prefect_home / "concurrency_leases"

    @property
    def logs(self) -> Path:
        """One log a service, rotated."""
        return self.root / "logs"

    @property
    def scratch(self) -> Path:
        """Current directory of worker and flow runs."""
        return self.root / "scratch"

    @property
    def configuration(self) -> Path:
        """Configuration of the supervisor; holds no secrets."""
        return self.root / "supervisord.conf"

    @property
    def sockets(self) -> Path:
        """Folder of Unix sockets: in the folder, or below the system's temporary one when its path is too long."""
        inside = self.root / "run"
        if len(os.fsencode(inside / "supervisor.sock")) <= _LONGEST_SOCKET_PATH:
            return inside
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"difsims-{os.getuid()}-{digest}"

    def prepare(self) -> None:
        """Make the folder and those in it; others may not look inside.

        Raises
        ------
        StackOptionError
            If the path cannot be used.
        """
        if bad := sorted(_UNUSABLE & set(str(self.root))):
            raise StackOptionError(
                f"{self.root}: the path of a stack must not hold {' '.join(bad)}; use another --folder"
            )
        try:
            for folder in (self.root, self.objects, self.prefect_home, self.logs, self.scratch, self.sockets):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StackOptionError(f"{self.root}: cannot be made ({error.strerror}); use another --folder") from None
        if self.sockets.stat().st_uid != os.getuid():
            raise StackOptionError(f"{self.sockets}: belongs to somebody else; use a --folder with a shorter path")

    def recall(self) -> Memory | None:
        """Return what the folder remembers, None when it is a new one."""
        path = self._memory
        if not path.exists():
            return None
        try:
            return Memory(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise StackError(
                f"{path}: not what `difsims up` writes ({error}); remove it to choose ports anew"
            ) from None

    def remember(self, memory: Memory) -> None:
        """Write what the next start shall know."""
        write_private(self._memory, json.dumps(asdict(memory), indent=2) + "\n")

    @property
    def _memory(self) -> Path:
        return self.root / "stack.json"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder: of several ``difsims up`` one gets it, until it ends in whatever way.

        Raises
        ------
        StackError
            If another one has it.
        """
        with (self.root / "lock").open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                raise StackError(
                    f"{self.root}: its `difsims up` is running already (process {holder}); end that one with Ctrl-C, "
                    "or start another stack with --folder"
                ) from None
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield


def write_private(path: Path, text: str) -> None:
    """Write a file whole or not at all; from its first moment on only its owner may read it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, 0o600)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    temporary.replace(path)


def read_json(path: Path) -> Any:
    """Return the value of a JSON file, None when there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
