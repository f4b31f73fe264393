"""The state of a stack: one folder that holds all of it, and what it remembers of earlier starts."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from difsims_core.errors import InputError
from difsims_core.private_folders import make_private
from flows.stack.errors import StackError, StackOptionError

_UNUSABLE = set(";#%\"'\n")  # they mean something in supervisor's configuration
_LONGEST_SOCKET_PATH = 100  # bytes; the system allows 104 to 108
_HALF = ".half"  # ending of a private file that is being written


@dataclass(frozen=True, slots=True)
class StackState:
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

    @classmethod
    def at(cls, path: Path) -> StackFolder:
        """Return that of a path as the user gives it; links lead to it, but it is none itself (`prepare`)."""
        path = Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - Path.resolve() would follow the last one
        return cls(path.parent.resolve() / path.name)

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
    def keys(self) -> Path:
        """Keys of SeaweedFS's parts for each other, made anew at each start (mode 0600)."""
        return self.root / "seaweedfs-keys"

    @property
    def sockets(self) -> Path:
        """Folder of Unix sockets, inside; a link to one below the system's temporary folder if the path is too long."""
        inside = self.root / "run"
        return inside.readlink() if inside.is_symlink() else inside

    def prepare(self) -> None:
        """Make the folder and those in it; others may not look inside.

        Raises
        ------
        StackOptionError
            If the path cannot be used.
        InputError
            If a folder that is there already is not the user's own alone.
        """
        if bad := sorted(_UNUSABLE & set(str(self.root))):
            raise StackOptionError(
                f"{self.root}: the path of a stack must not hold {' '.join(bad)}", "use another --folder"
            )
        try:
            for folder in (self.root, self.objects, self.keys, self.prefect_home, self.logs, self.scratch):
                make_private(folder)
            self._prepare_sockets()
        except OSError as error:
            raise StackOptionError(f"{self.root}: cannot be made ({error.strerror})", "use another --folder") from None

    def _prepare_sockets(self) -> None:
        """Make the folder of sockets; one outside has a name that nobody can guess and take before."""
        inside = self.root / "run"
        if len(os.fsencode(inside / "supervisor.sock")) <= _LONGEST_SOCKET_PATH:
            make_private(inside)
            return
        try:
            if inside.is_symlink():
                make_private(self.sockets)
                return
        except (InputError, OSError):  # removed with the temporary files of the system, and made by somebody else
            pass
        link = inside.with_name(f".run.{secrets.token_hex(8)}{_HALF}")
        link.symlink_to(tempfile.mkdtemp(prefix="difsims-"), target_is_directory=True)
        link.replace(inside)

    def load_state(self) -> StackState | None:
        """Return what the folder remembers, None when it is a new one."""
        path = self._state_file
        if not path.exists():
            return None
        try:
            return StackState(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise StackError(
                f"{path}: not what `difsims up` writes ({error})", "remove it to choose ports anew"
            ) from None

    def save_state(self, state: StackState) -> None:
        """Write what the next start shall know."""
        write_private(self._state_file, json.dumps(asdict(state), indent=2) + "\n")

    @property
    def _state_file(self) -> Path:
        return self.root / "stack.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
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
                    f"{self.root}: its `difsims up` is running already (process {holder})",
                    "end that one with Ctrl-C, or start another stack with --folder",
                ) from None
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            self._clear_halves()
            yield

    def _clear_halves(self) -> None:
        """Remove what killed writers of private files have left; nobody else writes while the folder is held."""
        for folder in (self.root, self.keys):
            for path in folder.glob(f".*{_HALF}"):
                path.unlink(missing_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write a file whole or not at all; from its first moment on only its owner may read it.

    A link in its place is replaced, not followed.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}{_HALF}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    """Return the value of a JSON file, None when there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
