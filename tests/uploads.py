"""Scans as they are uploaded, and what the intake makes of them, for tests."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import ClassVar, Self

import numpy as np

from difsims_core.models import registry
from difsims_core.scans.intake import Outcome, ReadingLimits, read_entries, record
from difsims_core.scans.reader_process import problem_of
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectInfo, ObjectStore, local_copy

TRIES = 3
START = datetime(2026, 1, 1, tzinfo=UTC)
FIRST, SECOND = (f"cnn-0000000{i}-0000-4000-8000-000000000000" for i in (1, 2))


def scan_bytes(rows: int = 2) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, x=np.arange(5) / 10, y=np.random.default_rng(rows).random((rows, 2, 5), np.float32))
    return buffer.getvalue()


WHOLE = scan_bytes()
HALF = WHOLE[: len(WHOLE) // 2]


class ReaderHere:
    """In place of `ScanReader`: reads in this process, at once; keeps the URLs in ``reads``."""

    reads: ClassVar[list[str]] = []

    def __init__(self, limits: ReadingLimits) -> None:
        self.limits = limits

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def start(self) -> None:
        pass

    def problem(self, url: str) -> str | None:
        self.reads.append(url)
        with local_copy(url) as path:
            return problem_of(path, url, self.limits.memory_mb)


def put(store: ObjectStore, name: str, data: bytes = WHOLE) -> None:
    store.write(layout.experiment_profiles(name), data)


def crown(store: ObjectStore, model: str = FIRST) -> None:
    store.write(f"{layout.model(model)}/bundle.json", b"{}")
    registry.promote(store, registry.read_registry(store), model, why="better", scores={}, by="hand")


def names(entries) -> list[str]:
    return sorted(entry.name for entry in entries)


def states(store: ObjectStore) -> dict[str, tuple[str, int]]:
    return {entry.name: (entry.state, entry.tries) for entry in read_entries(store).values()}


def listed(store: ObjectStore, name: str) -> ObjectInfo:
    (info,) = (info for info in store.describe(layout.PROFILES) if info.key == layout.experiment_profiles(name))
    return info


def outcome_of(store: ObjectStore, name: str, reason: str | None = None, model: str = FIRST) -> None:
    record(store, model, [Outcome(listed(store, name), reason)], tries=TRIES)
