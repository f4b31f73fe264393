"""What every attack is judged by; nothing here asks the code under test what it thinks of itself.

A case ends with a value or with one of our errors, within ten seconds and one gigabyte. Meanwhile the process opens
nothing but files of the case, makes no connection or process, and imports, executes and unpickles nothing.
"""

from __future__ import annotations

import gc
import glob
import hashlib
import os
import site
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from difsims_core.errors import DifsimsError
from difsims_core.storage.objects import ObjectStore

MOST_SECONDS = 10
MOST_BYTES = 2**30
VALUE, REFUSED = "value", "refused"
REPOSITORY = Path(__file__).resolve().parents[2]

_LIBRARIES = tuple(
    f"{os.path.realpath(folder)}/"
    for folder in {*sysconfig.get_paths().values(), *site.getsitepackages(), sys.base_prefix}
)
_CODE = (*_LIBRARIES, *(f"{REPOSITORY / name}/" for name in ("difsims_core", "flows", "tests")))
_READABLE = (*_CODE, f"{REPOSITORY / 'crystal_files'}/")
_SYSTEM = ("/dev/null", "/dev/urandom", "/etc/localtime", "/usr/share/zoneinfo/")
_ALWAYS_WRONG = (
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "subprocess.Popen", "pty.spawn",
    "socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request",
    "pickle.find_class", "ctypes.dlopen", "ctypes.dlsym", "code.__new__", "webbrowser.open",
    "os.chmod", "os.chown", "os.symlink", "os.setxattr", "os.kill", "shutil.unpack_archive",
)  # fmt: skip
_OF_PATHS = {
    "os.listdir": 1, "os.scandir": 1, "os.mkdir": 1, "os.rmdir": 1, "os.remove": 1, "os.truncate": 1, "os.rename": 2,
    "os.link": 2, "shutil.rmtree": 1, "shutil.copyfile": 2, "shutil.move": 2, "glob.glob": 1, "os.utime": 1,
}  # fmt: skip
_READS = {"os.listdir", "os.scandir", "glob.glob"}


class BrokenPromiseError(AssertionError):
    """A case that did what is promised never to happen; the message says what."""


class _Watch:
    """The events of one stretch of work that are not allowed; one hook a process, for hooks cannot be taken away."""

    def __init__(self) -> None:
        self.armed = False
        self.roots: tuple[str, ...] = ()
        self.known: frozenset[str] = frozenset()
        self.seen: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.armed and self._wrong(event, arguments):
            self.seen.append(f"{event} {arguments[:2]!r:.200}")

    def _wrong(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open":
            path, mode, flags = arguments
            changes = any(sign in mode for sign in "wax+") if isinstance(mode, str) else bool(flags & _CHANGING)
            return not self._allowed(path, changes=changes)
        asks = event == "glob.glob" and not glob.has_magic(arguments[0])  # is it there? No hook is told of `os.stat`
        if asks or (event == "os.listdir" and arguments[0] in sys.path):  # an import, where somebody has made a folder
            return False
        if event in _OF_PATHS:
            return not all(self._allowed(path, changes=event not in _READS) for path in arguments[: _OF_PATHS[event]])
        if event == "import":
            return arguments[0].split(".")[0] not in self.known
        if event == "exec":
            return not getattr(arguments[0], "co_filename", "?").startswith((*_CODE, "<frozen"))
        return event in _ALWAYS_WRONG

    def _allowed(self, path: Any, *, changes: bool) -> bool:
        if isinstance(path, int) or path is None:
            return True
        text = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 a link is where it lies
        return (
            text.startswith(self.roots)
            or (not changes and f"{text}/".startswith(_READABLE))
            or text.startswith(_SYSTEM)
        )


_CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_watches: list[_Watch] = []


@contextmanager
def watched(*roots: str | Path) -> Iterator[list[str]]:
    """Yield the list of what happens that is not allowed while the block runs.

    Allowed are files below ``roots``, reading the libraries' and our own files, and imports from packages that are
    loaded already: whoever uses it warms the code up first. The folder of temporary files is to lie below ``roots``.
    """
    if not _watches:
        _watches.append(_Watch())
    watch = _watches[0]
    watch.roots = tuple(f"{os.path.realpath(root)}" for root in roots)
    watch.known = frozenset(name.split(".")[0] for name in sys.modules)
    watch.seen = []
    loaded = len(sys.modules)
    watch.armed = True
    try:
        yield watch.seen
    finally:
        watch.armed = False
        if len(sys.modules) > loaded:  # `importlib.import_module` tells no hook
            new = {name.split(".")[0] for name in sys.modules} - watch.known
            watch.seen += [f"import {name}" for name in sorted(new)]


def private_temporary_folder(folder: Path) -> None:
    """Let temporary files of this process lie in a folder."""
    folder.mkdir(exist_ok=True, parents=True)
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None


class Judge:
    """Runs cases of one folder and judges them.

    Parameters
    ----------
    roots
        Where the cases may read and write.
    """

    def __init__(self, *roots: Path) -> None:
        self._roots = roots
        self._floor = memory("VmRSS")

    @contextmanager
    def case(self) -> Iterator[None]:
        """Run a case: its own failure is a `BrokenPromiseError`, whatever it did is judged, too."""
        if memory("VmHWM") - self._floor > MOST_BYTES:  # of a case before, which an error may still hold
            gc.collect()
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        ours: DifsimsError | None = None
        start = time.process_time()
        with watched(*self._roots) as seen:
            try:
                yield
            except DifsimsError as error:
                ours = error
            except (BrokenPromiseError, KeyboardInterrupt, GeneratorExit):
                raise
            except BaseException as error:
                what = f"{type(error).__name__} instead of one of our errors"
                raise BrokenPromiseError(f"{what}: {error!s:.300}") from error
        seconds, grown = time.process_time() - start, memory("VmHWM") - self._floor
        if seen:
            raise BrokenPromiseError(f"did what it may not: {'; '.join(seen[:5])}")
        if seconds > MOST_SECONDS:
            raise BrokenPromiseError(f"took {seconds:.1f} s of computing, more than {MOST_SECONDS}")
        if grown > MOST_BYTES:
            raise BrokenPromiseError(f"took {grown / 2**20:.0f} MB of memory, more than {MOST_BYTES / 2**20:.0f}")
        if ours is not None:
            check_error(ours)
            raise ours

    def outcome(self, work: Any, *arguments: Any) -> tuple[str, Any]:
        """Return `VALUE` and what ``work`` returned, or `REFUSED` and our error; all else is a broken promise."""
        try:
            with self.case():
                return VALUE, work(*arguments)
        except DifsimsError as error:
            return REFUSED, error


def check_error(error: DifsimsError) -> None:
    """Refuse an error whose text could forge another line or drive a terminal, or that hides a want of memory."""
    odd = [sign for sign in str(error) if not sign.isprintable() and sign != "\n"]
    if odd:
        raise BrokenPromiseError(f"an error holds the control character {odd[0]!r}: {str(error)!a:.200}")
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            raise BrokenPromiseError(f"tried to take more memory than there is, and said: {error!s:.200}")
        cause = cause.__cause__ or cause.__context__


def digests(store: ObjectStore) -> dict[str, str]:
    """Return the SHA-256 of every object of a store, by key."""
    return {key: hashlib.sha256(store.read(key)).hexdigest() for key in store.list()}


class Original:
    """A store as it was: what has changed since, and how it becomes again what it was."""

    def __init__(self, store: ObjectStore) -> None:
        self._store, self._objects = store, {key: store.read(key) for key in store.list()}
        self._known = self._state()

    def _state(self) -> dict[str, str]:
        return {info.key: info.etag for info in self._store.describe()}

    def restore(self) -> set[str]:
        """Return the keys of the objects that were changed, added or lost, after putting them back."""
        now = self._state()
        changed = {key for key in self._known.keys() | now.keys() if self._known.get(key) != now.get(key)}
        for key in changed:
            if key in self._objects:
                self._store.write(key, self._objects[key])
            else:
                self._store.delete(key)
        if changed:
            self._known = self._state()
        return changed


def check_untouched(before: dict[str, str], after: dict[str, str], *allowed: str) -> None:
    """Refuse a store in which objects that do not begin with ``allowed`` were changed, added or lost."""
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key) and not (allowed and key.startswith(allowed)):
            what = "lost" if key not in after else "added" if key not in before else "changed"
            raise BrokenPromiseError(f"{key} was {what}, and nothing was done to it")


def memory(name: str) -> int:
    """Return bytes of this process: VmRSS now, VmHWM at most, VmSize asked for."""
    with open("/proc/self/status", encoding="ascii") as file:  # noqa: PTH123 read once a case
        for line in file:
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    raise RuntimeError(f"no {name} in /proc/self/status; the attacks run on Linux")
