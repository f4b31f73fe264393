"""Scans as they are uploaded, and what the intake makes of them, for tests."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

import numpy as np

from difsims_core.models import registry
from difsims_core.scans.attempts import read_attempts
from difsims_core.scans.intake import Failure, reason_of, record_failures, scan_states
from difsims_core.scans.isolated_reader import ReadingLimits
from difsims_core.scans.listing import scan_name
from difsims_core.scans.missing_maps import Inventory
from difsims_core.scans.reader_process import problem_of
from difsims_core.scans.reconcile import RunRequest, reconcile
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


def map_scan(store: ObjectStore, name: str, model: str = FIRST, *, evaluated: bool = True) -> None:
    """Write something in the places of a map and its scores, which are younger than the scan."""
    store.write(layout.prediction(model, f"{name}_radial_crop"), b"map")
    if evaluated:
        store.write(layout.evaluation(model, f"{name}_radial_crop"), b"scores")


def names(requests: Iterable[RunRequest]) -> list[str]:
    """Return the names of the scans of requested runs, each as often as it is asked for."""
    return sorted(scan_name(scan.key) for request in requests for scan in request.scans)


def one_round(store: ObjectStore, now: datetime, models: Sequence[str] = (FIRST,), **options: Any) -> list[RunRequest]:
    """Return what a round asks for."""
    options = {"tries": TRIES, "runs": 100} | options
    return list(reconcile(store, Inventory.listed(store, models), now, **options))


def states(store: ObjectStore, models: Sequence[str] = (FIRST,)) -> dict[str, tuple[str, int]]:
    found = scan_states(Inventory.listed(store, models), read_attempts(store), tries=TRIES)
    return {state.name: (state.state, state.tries) for state in found}


def reasons(store: ObjectStore) -> dict[str, str]:
    return {scan_name(attempt.scan): reason_of(attempt) for attempt in read_attempts(store).values()}


def listed(store: ObjectStore, name: str) -> ObjectInfo:
    (info,) = (info for info in store.describe(layout.PROFILES) if info.key == layout.experiment_profiles(name))
    return info


def fail(store: ObjectStore, name: str, reason: str, model: str = FIRST) -> None:
    record_failures(store, model, [Failure(listed(store, name), reason)])
