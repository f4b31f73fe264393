"""Errors of work on another machine: which one, and what is different there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from difsims_core.errors import DifsimsError, MissingObjectError, SpecError, StoreAccessError

_REMEDIES: tuple[tuple[type[DifsimsError], str], ...] = (
    (StoreAccessError, "a worker takes its AWS_… credentials from its own environment: set them where it is started"),
    (MissingObjectError, "workers must reach the store under the same URL; for file:// a folder that all of them see"),
    (SpecError, "install the same version of difsims on all workers"),
)


@contextmanager
def said_by_this_worker() -> Iterator[None]:
    """Name this machine in errors, and what is different on a worker."""
    try:
        yield
    except DifsimsError as error:
        remedies = [remedy for kind, remedy in _REMEDIES if isinstance(error, kind)]
        remedy = "; ".join(filter(None, [error.remedy, *remedies]))
        raise type(error)(f"worker on {socket.gethostname()}: {error.problem}", remedy) from None
