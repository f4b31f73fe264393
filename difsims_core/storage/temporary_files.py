"""What killed processes leave behind: temporary files and folders that carry the name of their maker, cleared later.

A thing is left behind when its maker, a process of this machine, is gone and it has not changed for an hour. Of other
machines that share the disk no process can be looked up: theirs must not have changed for a week.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

_COPIES = "difsims-copy-"
_MAKER = re.compile(r"([0-9a-f]{8})-([0-9]{1,9})-[0-9a-f]{32}")
_HOUR, _WEEK = 3600, 7 * 24 * 3600  # seconds


def unique_name() -> str:
    """Return a name that nothing else has, with machine and process in it."""
    return f"{_machine()}-{os.getpid()}-{uuid.uuid4().hex}"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield an empty folder that only its owner may enter; it goes at the end, or at a later start after a kill."""
    parent = tempfile.gettempdir()
    clear_abandoned(parent, _COPIES, "")
    folder = Path(parent) / f"{_COPIES}{unique_name()}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@lru_cache(maxsize=4096)  # once in a process
def clear_abandoned(folder: str, before: str, after: str) -> None:
    """Remove from a folder what killed processes of this user have left there; what cannot be removed stays.

    Parameters
    ----------
    folder
        Where to look, not below it.
    before, after
        What surrounds `unique_name` in the names.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(before) and entry.name.endswith(after):
                _clear(entry, entry.name[len(before) : len(entry.name) - len(after)])


def _clear(entry: os.DirEntry[str], maker: str) -> None:
    found = _MAKER.fullmatch(maker)
    with suppress(OSError):
        state = entry.stat(follow_symlinks=False)
        if found is None or state.st_uid != os.geteuid():
            return
        here = found[1] == _machine()
        if time.time() - state.st_mtime < (_HOUR if here else _WEEK) or (here and _lives(int(found[2]))):
            return
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            Path(entry.path).unlink()


def _machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True
