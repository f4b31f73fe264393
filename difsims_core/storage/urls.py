"""Single objects by path or URL, and the files that a glob or a folder stands for."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

from difsims_core.errors import InputError, MissingObjectError
from difsims_core.storage import local as _local  # noqa: F401 registers file://
from difsims_core.storage.backend import BACKENDS
from difsims_core.storage.names import as_written, check_key, join_url, split_url
from difsims_core.storage.s3 import objects as _s3  # noqa: F401 registers s3://
from difsims_core.storage.temporary_files import temporary_folder


def read_url(url: str | Path) -> bytes:
    """Return the object at a path or URL."""
    scheme, path = split_url(url)
    return BACKENDS[scheme].read(_checked(scheme, path))


def write_url(url: str | Path, data: bytes) -> None:
    """Write the object at a path or URL, whole or not at all."""
    scheme, path = split_url(url)
    BACKENDS[scheme].write(_checked(scheme, path), data)


def object_exists(url: str | Path) -> bool:
    """Return whether there is an object at a path or URL."""
    scheme, path = split_url(url)
    return BACKENDS[scheme].exists(_checked(scheme, path))


def exists_already(url: str | Path) -> InputError:
    """Return the error of whoever would write over an object without being asked to."""
    return InputError(f"{url}: exists already", "choose another name, or --force to replace it")


def writing_url(url: str | Path) -> AbstractContextManager[Path]:
    """Give a local file to fill; it becomes the object at a URL when the block ends well, and goes when it does not."""
    scheme, path = split_url(url)
    return BACKENDS[scheme].writing(_checked(scheme, path))


def url_exists(url: str | Path) -> bool:
    """Return whether there is an object at a path or URL; there is none where no object can be called so."""
    scheme, path = split_url(url)
    try:
        return BACKENDS[scheme].exists(_checked(scheme, path))
    except InputError:
        return False


@contextmanager
def local_copy(url: str | Path) -> Iterator[Path]:
    """Yield a local file with the bytes of a URL: the file itself, or a copy that goes afterwards."""
    scheme, path = split_url(url)
    if scheme == "file":
        if not Path(path).is_file():
            raise MissingObjectError(f"{path}: no such file", "check the path")
        yield Path(path)
        return
    with temporary_folder() as folder:
        target = folder / "object"
        BACKENDS[scheme].download(_checked(scheme, path), target)
        yield target


def expand_urls(patterns: str | Path | Iterable[str | Path], suffix: str = ".npz") -> list[str]:
    """Return the files that paths, URLs, globs (``*``, ``?``, ``[…]``, ``**``) and folders stand for, each once.

    What is there under the very name is meant itself, whatever signs of a glob it holds. Local files are returned as
    paths (`as_written`).

    Parameters
    ----------
    patterns
        What to look for; a folder or an ``s3://`` prefix ending with ``/`` stands for its files with ``suffix``.
    suffix
        The ending of the files that a folder stands for.

    Raises
    ------
    InputError
        If one of them stands for nothing; the message says which.
    """
    patterns = [patterns] if isinstance(patterns, str | Path) else list(patterns)
    found: dict[str, None] = {}
    for pattern in patterns:
        scheme, path = split_url(pattern)
        _check_wildcards(pattern, path)
        matches = _match_files(path, suffix) if scheme == "file" else _match_objects(scheme, str(pattern), path, suffix)
        if not matches:
            raise InputError(f"{pattern}: nothing found; expected a file, a glob or a folder with *{suffix} files")
        found.update(dict.fromkeys(matches))
    return list(found)


def _check_wildcards(pattern: str | Path, path: str) -> None:
    """Refuse ``..`` behind a wildcard: each pair would walk through all folders once more for each of them."""
    parts = path.split("/")
    wild = next((position for position, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    if ".." in parts[wild:]:
        raise InputError(f"{pattern}: '..' cannot stand behind a wildcard", "name the folder itself")


def files_in(folder: str | Path, suffix: str) -> list[str]:
    """Return the files of a folder or prefix that end with ``suffix``; an ``InputError`` if it holds none."""
    return expand_urls([f"{str(folder).rstrip('/')}/"], suffix)


def _match_files(path: str, suffix: str) -> list[str]:
    if os.path.isdir(path):  # noqa: PTH112 pathlib raises when a name is too long
        found = [str(item) for item in Path(path).glob(f"*{suffix}")]
    else:
        parts = path.split("/")
        known = _literal(parts, lambda part: os.path.lexists(part or "/"))
        pattern = [*map(glob.escape, parts[:known]), *parts[known:]]
        if "**" in pattern:
            below = _walk("/".join(parts[:known]) or "/")
            found = [item for item in below if _matches(item.split("/"), pattern)]
        else:
            found = glob.glob("/".join(pattern))  # noqa: PTH207 pathlib has no absolute patterns
    return [as_written(join_url("file", item)) for item in sorted(found) if Path(item).is_file()]


def _match_objects(scheme: str, url: str, path: str, suffix: str) -> list[str]:
    """Match the keys below the longest part without wildcards."""
    backend = BACKENDS[scheme]
    if not url.endswith("/") and not glob.has_magic(path):
        return [join_url(scheme, path)] if backend.exists(_checked(scheme, path)) else []
    if url.endswith("/"):
        folder = backend.check_root(path)
        found, pattern = backend.list(folder), [*map(glob.escape, folder.split("/")), f"*{suffix}"]
    else:
        wild = min(path.index(sign) for sign in "*?[" if sign in path)
        found = backend.list(backend.check_root(path[:wild].rpartition("/")[0]))
        parts = path.split("/")
        known = _literal(parts, lambda part: any(f"{item}/".startswith(f"{part}/") for item in found))
        pattern = [*map(glob.escape, parts[:known]), *parts[known:]]
    return [join_url(scheme, item) for item in found if _matches(item.split("/"), pattern)]


def _literal(parts: list[str], is_there: Callable[[str], bool]) -> int:
    """Return how many of the first parts of a pattern are there letter by letter."""
    known = 0
    while known < len(parts) and is_there("/".join(parts[: known + 1])):
        known += 1
    return known


def _walk(folder: str) -> Iterator[str]:
    """Yield the files below a folder, without hidden ones and what lies behind links to folders."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (f"{parent.rstrip('/')}/{name}" for name in names if not name.startswith("."))


def _matches(parts: list[str], pattern: list[str]) -> bool:
    """Match part by part: ``*`` stops at a slash, ``**`` stands for any number of parts."""
    positions = _with_skipped({0}, pattern)  # how much of the pattern may be used up; a set, for each position once
    for part in parts:
        used = {
            position if pattern[position] == "**" else position + 1
            for position in positions
            if position < len(pattern) and (pattern[position] == "**" or fnmatchcase(part, pattern[position]))
        }
        positions = _with_skipped(used, pattern)
    return len(pattern) in positions


def _with_skipped(positions: set[int], pattern: list[str]) -> set[int]:
    """Add the positions behind each ``**``, which may stand for nothing."""
    for position in sorted(positions):
        while position < len(pattern) and pattern[position] == "**":
            position += 1  # noqa: PLW2901
            positions.add(position)
    return positions


def _checked(scheme: str, path: str) -> str:
    if scheme != "file":
        BACKENDS[scheme].check_root(path)
        check_key(path)
        if "/" not in path:
            raise InputError(f"{scheme}://{path}: names a bucket; expected an object, {scheme}://bucket/key")
    return path
