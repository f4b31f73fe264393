"""Folders that only their owner may enter."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from difsims_core.errors import InputError

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private(folder: Path) -> None:
    """Make a folder that only its owner may enter, or make sure that the one which is there is such a one.

    One of our own that others may read is narrowed. Where others may write, what it holds may be theirs: it is refused.

    Raises
    ------
    InputError
        If it is a link, belongs to another user, or others may write into it.
    OSError
        If it cannot be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = folder.lstat()
    if stat.S_ISLNK(state.st_mode):
        raise InputError(f"{folder}: expected a folder, found a link", "remove the link or use another folder")
    if state.st_uid != os.geteuid():
        raise InputError(f"{folder}: belongs to another user", "use another folder")
    if state.st_mode & _OTHERS_WRITE:
        raise InputError(
            f"{folder}: others may write into it (mode {stat.S_IMODE(state.st_mode):04o})",
            "use another folder, or `chmod 700` this one if you trust all that it holds",
        )
    if state.st_mode & _OTHERS:
        folder.chmod(0o700)
