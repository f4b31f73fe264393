"""Work on a store that stops at its k-th change, as a killed process does: that change and all later ones are missing.

Every state in which a kill can leave the objects of a store is one of these: a file is written whole or not at all, and
folders go file by file. What a kill leaves besides, unfinished files under other names, is tested with real kills.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Lock
from unittest.mock import patch

from difsims_core.storage.local import LocalFiles
from tests.attacks.operations import Operation
from tests.attacks.whole_store import WholeStore


class StoppedError(BaseException):
    """The end of a process: nothing handles it."""


def run_until(operation: Operation, whole: WholeStore, changes: int) -> tuple[list[str], bool]:
    """Do some work until it has changed the store so many times.

    Returns
    -------
    told : list of str
        The steps that it told to be done.
    stopped : bool
        Whether it wanted to change more.
    """
    told = []
    try:
        with _stopping_after(changes):
            for step in operation.work(whole):
                told.append(step)  # noqa: PERF402 those until it stops
    except StoppedError:
        return told, True
    return told, False


@contextmanager
def _stopping_after(changes: int) -> Iterator[None]:
    """Let files of this process be changed so many times, and never again while the block runs."""
    numbers, lock = count(), Lock()
    plain = {name: getattr(LocalFiles, name) for name in ("write", "create", "delete", "writing")}

    def change() -> None:
        with lock:
            if next(numbers) >= changes:
                raise StoppedError

    def write(files: LocalFiles, path: str, data: bytes) -> None:
        change()
        plain["write"](files, path, data)

    def create(files: LocalFiles, path: str, data: bytes) -> bool:
        change()
        return plain["create"](files, path, data)

    def delete(files: LocalFiles, path: str) -> None:
        change()
        plain["delete"](files, path)

    def delete_tree(files: LocalFiles, path: str) -> None:
        for found in files.list(path):
            delete(files, found)

    @contextmanager
    def writing(files: LocalFiles, path: str) -> Iterator[Path]:
        with plain["writing"](files, path) as temporary:
            yield temporary
            change()

    with patch.multiple(
        LocalFiles, write=write, create=create, delete=delete, delete_tree=delete_tree, writing=writing
    ):
        yield
