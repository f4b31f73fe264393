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
from difsims_core.retrying import StoppedError, poll
from flows.ui.progress import Stopped, log_and_show, stop_requested

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
    try:
        lock = _wait_for_one(slots, folder or slot_folder())
    except StoppedError:
        raise Stopped("stopped while waiting for a slot of this machine") from None
    try:
        yield
    finally:
        lock.release()


def _wait_for_one(slots: int, folder: Path) -> FileLock:
    lock = _free_slot(slots, folder)
    if lock is None:
        log_and_show(
            f"waiting: DIFSIMS_SIMULATIONS_A_MACHINE is {slots}, and as many simulations compute on this machine"
        )
        looks = (_free_slot(slots, folder) for _ in poll(_POLL_SECONDS, stop=stop_requested))
        lock = next(found for found in looks if found is not None)
        log_and_show("another simulation has ended, this one begins")
    return lock


def _free_slot(slots: int, folder: Path) -> FileLock | None:
    """Return the lock of a free slot, or None when all are taken."""
    for number in range(slots):
        lock = FileLock(folder / f"slot-{number}.lock", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        return lock
    return None


def slot_folder() -> Path:
    """Return the folder of the slots of this user, which is made when it is not there."""
    user = os.getuid() if hasattr(os, "getuid") else re.sub(r"\W", "_", getpass.getuser())
    folder = Path(tempfile.gettempdir()) / f"difsims-slots-{user}"
    try:
        make_private(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot hold the locks of this machine ({error.strerror})", "set TMPDIR") from None
    return folder
