"""At most so many simulations compute at once on one machine; the others wait for a slot."""

from __future__ import annotations

import getpass
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from difsims_core.errors import InputError
from difsims_core.private_folders import make_private
from flows.ui.progress import Stopped, say, stop_requested

_POLL_SECONDS = 0.5


@contextmanager
def simulation_slot(slots: int, folder: Path | None = None) -> Iterator[None]:
    """Hold one of the slots of this machine, and wait until there is one.

    A slot is a lock on a file: the system frees it when its process ends, however it ends.

    Parameters
    ----------
    slots
        How many there are; 0: no limit.
    folder
        Where their files lie; default: one of this user in the temporary folder, so that the simulations of one user
        wait for each other.

    Raises
    ------
    Stopped
        If the work was asked to stop while it waited.
    """
    if not slots:
        yield
        return
    lock = _wait_for_one(slots, folder or slot_folder())
    try:
        yield
    finally:
        lock.release()


def _wait_for_one(slots: int, folder: Path) -> FileLock:
    waiting = False
    while True:
        for number in range(slots):
            lock = FileLock(folder / f"slot-{number}.lock", thread_local=False)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            if waiting:
                say("another simulation has ended, this one begins")
            return lock
        if not waiting:
            waiting = True
            say(f"waiting: DIFSIMS_SIMULATIONS_A_MACHINE is {slots}, and as many simulations compute on this machine")
        if stop_requested.wait(_POLL_SECONDS):
            raise Stopped("stopped while waiting for a slot of this machine")


def slot_folder() -> Path:
    """Return the folder of the slots of this user, which is made when it is not there."""
    user = os.getuid() if hasattr(os, "getuid") else re.sub(r"\W", "_", getpass.getuser())
    folder = Path(tempfile.gettempdir()) / f"difsims-slots-{user}"
    try:
        make_private(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot hold the locks of this machine ({error.strerror})", "set TMPDIR") from None
    return folder
