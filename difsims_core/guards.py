"""The context in which one item of a batch is worked on: an error that is its own stops no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Guard = Callable[[str], AbstractContextManager[None]]


def keep_failures(failures: dict[str, Exception], concerns_all: Callable[[Exception], bool]) -> Guard:
    """Return the contexts that keep the error of an item under its name, and let through what concerns all of them."""

    @contextmanager
    def keep(item: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if concerns_all(error):
                raise
            failures[item] = error

    return keep
