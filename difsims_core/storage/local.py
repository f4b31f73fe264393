"""Objects as files of a local or mounted file system."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from difsims_core.errors import MissingObjectError, StoreAccessError, StoreError, StoreFullError
from difsims_core.storage.backend import BACKENDS, MOST_SMALL_BYTES, ObjectInfo, StorageBackend, require_small
from difsims_core.storage.temporary_files import clear_abandoned, unique_name

PARTIAL = ".partial"
LOCK = ".difsims-lock"
_NO_OBJECTS = (PARTIAL, LOCK)
LOCK_SECONDS = 60  # a lock is held for one small write; the system frees it when its holder dies
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_log = logging.getLogger(__name__)

_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class LocalFiles(StorageBackend):
    """Files; each is written under a temporary name on the same disk, flushed, and renamed.

    A link in a store is no object: listings pass over it, and one that leads out of the store is not followed.
    """

    def check_root(self, path: str) -> str:
        """Return the path without ``.``, ``..`` and trailing slashes."""
        return os.path.normpath(path)

    def path_below(self, root: str, key: str) -> str:
        """Return the path of a key; a link must not lead out of the root."""
        path = super().path_below(root, key)
        home = os.path.realpath(root)
        found = os.path.realpath(path)
        if found != home and not found.startswith(f"{home.rstrip('/')}/"):
            raise StoreAccessError(
                f"{path}: a link leads out of the store, to {found!r}",
                "put the files themselves into the store, or remove the link",
            )
        return path

    def read(self, path: str, start: int | None = None, stop: int | None = None) -> bytes:
        """Return a file, or its bytes ``start:stop``."""
        with _translated(path), _opened(path) as file:
            if start is not None and start < 0:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size + start))
            elif start:
                file.seek(start)
            return file.read() if stop is None else file.read(stop - (start or 0))

    def write(self, path: str, data: bytes) -> None:
        """Write a file whole: temporary name, flush, rename."""
        with _translated(path), temporary_beside(Path(path)) as temporary:
            _fill(temporary, data)
            temporary.replace(path)

    def create(self, path: str, data: bytes) -> bool:
        """Write a file unless there is one; it appears with all its bytes."""
        with _translated(path), temporary_beside(Path(path)) as temporary:
            _fill(temporary, data)
            try:
                os.link(temporary, path)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in _NO_HARD_LINKS:
                    raise
                return _create_without_links(path, data)
        return True

    def read_versioned(self, path: str) -> tuple[bytes, str]:
        """Return a file and the SHA-256 of its bytes."""
        data = self.read(path, 0, MOST_SMALL_BYTES + 1)
        require_small(path, len(data))
        return data, hashlib.sha256(data).hexdigest()

    def replace(self, path: str, data: bytes, version: str | None) -> bool:
        """Write a file whole if it still has this version, under a lock."""
        if version is None:
            return self.create(path, data)
        try:
            with _locked(path):
                same = self.read_versioned(path)[1] == version
                if same:
                    self.write(path, data)
        except MissingObjectError:
            return False
        return same

    def exists(self, path: str) -> bool:
        """Return whether there is a file."""
        with _translated(path):
            try:
                return Path(path).is_file()
            except OSError as error:
                if error.errno == errno.ENAMETOOLONG:  # no file can have this name
                    return False
                raise

    def list(self, path: str) -> list[str]:
        """Return all files below a folder, sorted; unfinished ones and links are no objects."""
        with _translated(path):
            return sorted(entry.path for entry in _files_below(path))

    def describe(self, path: str) -> list[ObjectInfo]:
        """Return what is known of all files below a folder; one that goes meanwhile is left out."""
        found = []
        with _translated(path):
            for entry in _files_below(path):
                with suppress(FileNotFoundError):
                    state = entry.stat(follow_symlinks=False)
                    modified, changed = (datetime.fromtimestamp(at, UTC) for at in (state.st_mtime, state.st_ctime))
                    version = f"{state.st_mtime_ns:x}-{state.st_size:x}"
                    found.append(ObjectInfo(entry.path, state.st_size, version, modified, changed))
        return sorted(found, key=lambda info: info.key)

    def signed_url(self, path: str, seconds: int) -> str | None:  # noqa: ARG002 the interface
        """Return None: a browser on another machine cannot open a file of this one."""
        return None

    def folders(self, path: str) -> list[str]:
        """Return the names of the folders directly in this folder, sorted."""
        with _translated(path):
            return sorted(entry.name for entry in folder_entries(path) if entry.is_dir(follow_symlinks=False))

    def tree_bytes(self, path: str) -> int:
        """Return the size of all files below a folder."""
        return sum(info.size for info in self.describe(path))

    def delete(self, path: str) -> None:
        """Remove a file."""
        with _translated(path):
            Path(path).unlink(missing_ok=True)

    def delete_tree(self, path: str) -> None:
        """Remove a folder; of links in it, the links alone."""
        with _translated(path):
            if Path(path).is_symlink():
                raise StoreError(f"{path}: is a link", "nothing behind it is removed, remove the link by hand")
            if Path(path).is_dir():
                shutil.rmtree(path, onerror=_unless_gone)

    @contextmanager
    def writing(self, path: str) -> Iterator[Path]:
        """Give a temporary file on the same disk; it is renamed when the block ends well."""
        with _translated(path), temporary_beside(Path(path)) as temporary:
            yield temporary
            temporary.replace(path)

    def download(self, path: str, local: Path) -> None:
        """Copy a file."""
        with _translated(path), temporary_beside(local) as temporary:
            shutil.copyfile(path, temporary)
            temporary.replace(local)


def _files_below(path: str) -> Iterator[os.DirEntry[str]]:
    pending = [path]
    while pending:
        for entry in folder_entries(pending.pop()):
            if entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)
            elif entry.is_file(follow_symlinks=False) and not entry.name.endswith(_NO_OBJECTS):
                yield entry


def folder_entries(path: str) -> list[os.DirEntry[str]]:
    """Return what a folder holds, nothing where there is no folder; say which are links."""
    try:
        with os.scandir(path) as found:
            entries = list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []
    for entry in entries:
        if entry.is_symlink():
            _warn_of_link(entry.path)
    return entries


@lru_cache(maxsize=1024)  # once for each
def _warn_of_link(path: str) -> None:
    _log.warning("%r is a link and passed over; put the files themselves into the store", path)


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    """Open a file to read; a pipe or a device would keep its reader waiting for ever."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise StoreError(f"{path}: is a pipe or a device, expected a file", "remove it")
        yield file


def _unless_gone(_function: object, _path: str, failure: tuple[type, BaseException, object]) -> None:
    if not isinstance(failure[1], FileNotFoundError):
        raise failure[1]


def _fill(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())  # a full disk or quota may say so only here


def _create_without_links(path: str, data: bytes) -> bool:
    try:
        _fill(Path(path), data)
    except FileExistsError:
        return False
    return True


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """Yield a name beside ``path``; whatever is left under it goes, after a kill at a later start."""
    path.parent.mkdir(parents=True, exist_ok=True)
    clear_abandoned(str(path.parent), ".", PARTIAL)
    temporary = path.with_name(f".{unique_name()}{PARTIAL}")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _locked(path: str) -> Iterator[None]:
    """Keep other writers of ``replace`` away from a file, in this process and in others."""
    lock = FileLock(Path(path).with_name(f".{Path(path).name}{LOCK}"))
    with _translated(path):
        try:
            lock.acquire(timeout=LOCK_SECONDS)
        except Timeout:
            raise StoreError(
                f"{path}: another process has been writing it for {LOCK_SECONDS} seconds",
                "end that process, then try again",
            ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingObjectError(f"{path}: no such file ({error.strerror})", "check the path") from None
    except IsADirectoryError:  # not missing: what was there may be lost
        raise StoreAccessError(f"{path}: expected a file, found a folder", "remove or rename it") from None
    except FileExistsError:
        raise StoreAccessError(f"{path}: a file is in the place of one of its folders", "remove or rename it") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        if error.errno in _FULL:
            raise StoreFullError(
                f"{path}: the disk that holds it is full ({reason})",
                "free space or choose another store, then run again: finished blocks are kept",
            ) from None
        if error.errno in _REFUSED:
            raise StoreAccessError(
                f"{path}: may not be read or written ({reason})",
                "check the permissions, or set DIFSIMS_STORE to another folder",
            ) from None
        if error.errno == errno.ELOOP:
            raise StoreAccessError(f"{path}: a link that leads in a circle", "remove it") from None
        raise StoreError(f"{path}: {reason}", "try again") from None


BACKENDS.register("file")(LocalFiles())
