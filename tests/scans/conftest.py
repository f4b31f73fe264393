"""Stores with scans, and rounds of the intake."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from difsims_core.scans import reconcile
from difsims_core.scans.reconcile import RunRequest
from difsims_core.storage.objects import ObjectStore, open_store
from tests.uploads import FIRST, START, ReaderHere, one_round


@pytest.fixture(autouse=True)
def read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scans are read in this process, which takes no time to start."""
    monkeypatch.setattr(reconcile, "ScanReader", ReaderHere)


@pytest.fixture
def home(tmp_path: Path) -> ObjectStore:
    """A store on this machine."""
    return open_store(tmp_path / "store")


class Clock:
    """The time of the rounds."""

    def __init__(self) -> None:
        self.now = START

    def pass_by(self, **duration: float) -> None:
        """Let time pass: hours, minutes, seconds."""
        self.now += timedelta(**duration)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def go(clock: Clock) -> Callable[..., list[RunRequest]]:
    """Rounds ten minutes apart: longer than an attempt may be on its way."""

    def one(store: ObjectStore, models: Sequence[str] = (FIRST,), **options) -> list[RunRequest]:
        clock.pass_by(minutes=10)
        return one_round(store, clock.now, models, **options)

    return one


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs of scans that were read."""
    monkeypatch.setattr(ReaderHere, "reads", [])
    return ReaderHere.reads
