"""Local copies of objects that can only be read as files: kept within a limit, the longest unused ones go first.

A copy belongs to one version of its objects (their ETags), so that it is never older than what was asked for. Whoever
reads one holds a lock on its folder, until he lets it go or his process ends; what is locked is not removed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from difsims_core.errors import InputError, MissingObjectError, StoreFullError
from difsims_core.private_folders import make_private
from difsims_core.storage.backend import ObjectInfo
from difsims_core.storage.names import check_name
from difsims_core.storage.objects import ObjectStore, locate

FOLDER, LIMIT = "DIFSIMS_CACHE", "DIFSIMS_CACHE_GB"
_DEFAULT_FOLDER, _DEFAULT_GB = "~/.cache/difsims", 50.0
_BYTES_PER_GB = 10**9


class KeptCopy:
    """An object and what lies beside it, as files in one folder; locked until `release`.

    Attributes
    ----------
    path : Path
        Of the copy of the object.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path, self._lock = path, lock

    def release(self) -> None:
        """Let others remove the copy."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def kept_copy(url: str, beside: Callable[[str, Sequence[str]], Sequence[str]]) -> KeptCopy:
    """Return a local copy of an object, fetched unless it is there.

    Parameters
    ----------
    url
        Of the object.
    beside
        Which further objects of its folder are needed: it takes the name of the object and those of all in the folder.

    Raises
    ------
    MissingObjectError
        If there is no such object.
    StoreFullError
        If it is larger than the limit, or what else is kept is in use.
    InputError
        If the objects changed while they were copied.
    """
    objects, name = locate(url)
    wanted = _wanted(url, objects, name, beside)
    cache = Path(os.environ.get(FOLDER) or _DEFAULT_FOLDER).expanduser()
    make_private(cache)
    folder = cache / _digest(objects.root, wanted)
    while True:
        lock = _locked(folder, fcntl.LOCK_SH)
        if _is_complete(folder, wanted):
            os.utime(folder)
            return KeptCopy(folder / name, lock)
        os.close(lock)
        lock = _locked(folder, fcntl.LOCK_EX)  # waits for another process that fetches the same
        try:
            if not _is_complete(folder, wanted):
                _make_room(url, cache, folder, sum(info.size for info in wanted))
                _fetch(url, objects, wanted, folder)
        finally:
            os.close(lock)


def _wanted(
    url: str, objects: ObjectStore, name: str, beside: Callable[[str, Sequence[str]], Sequence[str]]
) -> list[ObjectInfo]:
    """Return the object and those beside it that are needed, as they are now."""
    there = {info.key: info for info in objects.describe() if "/" not in info.key}
    if name not in there:
        raise MissingObjectError(f"{url}: no such object", "check the URL")
    return [there[check_name(key)] for key in sorted({name, *beside(name, list(there))})]


def _digest(root: str, wanted: Sequence[ObjectInfo]) -> str:
    known = "\n".join([root, *(f"{info.key}\t{info.size}\t{info.etag}" for info in wanted)])
    return hashlib.sha256(known.encode()).hexdigest()


def _locked(folder: Path, how: int) -> int:
    """Return the descriptor of a folder that is locked, and made where it is missing."""
    while True:
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(lock, how)
        with suppress(FileNotFoundError):
            if folder.stat().st_ino == os.fstat(lock).st_ino:
                return lock
        os.close(lock)  # it was removed while we waited


def _is_complete(folder: Path, wanted: Sequence[ObjectInfo]) -> bool:
    paths = [(folder / info.key, info.size) for info in wanted]
    return all(path.is_file() and path.stat().st_size == size for path, size in paths)


def _fetch(url: str, objects: ObjectStore, wanted: Sequence[ObjectInfo], folder: Path) -> None:
    """Copy objects into a folder, each whole or not at all."""
    for info in wanted:
        part = folder / f"{info.key}.part"
        objects.download(info.key, part)
        part.rename(folder / info.key)
    now = {info.key: info for info in objects.describe()}
    if any(info.key not in now or not now[info.key].has_content(info.size, info.etag) for info in wanted):
        shutil.rmtree(folder, ignore_errors=True)
        raise InputError(f"{url}: changed while it was copied", "wait until it is written, then start again")


def _make_room(url: str, cache: Path, own: Path, needed: int) -> None:
    """Remove copies that nobody reads, the longest unused first, until there is room for so many bytes."""
    limit = _limit_bytes()
    if needed > limit:
        raise StoreFullError(
            f"{url}: has {needed:,} bytes with what belongs to it, local copies may take {limit:,}",
            f"set {LIMIT}, or store the scan as .zspy or .zarr, which is read where it lies",
        )
    kept = [entry for entry in _entries(cache) if entry != own]
    room = limit - needed - sum(_size(entry) for entry in kept)
    for entry in sorted(kept, key=lambda entry: entry.stat().st_mtime):
        if room >= 0:
            return
        room += _removed(entry)
    if room < 0:
        raise StoreFullError(
            f"{cache}: no room for {needed:,} bytes, all that is kept is in use", f"wait, or set {LIMIT}"
        )


def _removed(entry: Path) -> int:
    """Remove a copy unless somebody reads it; return its bytes."""
    lock = os.open(entry, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        size = _size(entry)
        shutil.rmtree(entry)
    except BlockingIOError:
        return 0
    else:
        return size
    finally:
        os.close(lock)


def _entries(cache: Path) -> Iterator[Path]:
    return (entry for entry in cache.iterdir() if entry.is_dir() and not entry.is_symlink())


def _size(entry: Path) -> int:
    return sum(item.stat().st_size for item in entry.iterdir())


def _limit_bytes() -> int:
    text = os.environ.get(LIMIT)
    try:
        found = _DEFAULT_GB if text is None else float(text)
    except ValueError:
        found = -1.0
    if not 0 < found < float("inf"):
        raise InputError(f"{LIMIT}={text!r}: expected a number of GB above 0", "correct it or unset it")
    return int(found * _BYTES_PER_GB)
