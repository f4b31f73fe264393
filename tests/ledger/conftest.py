"""Stores with scans and a champion, and rounds of the intake."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from difsims_core.ledger import intake
from difsims_core.ledger.intake import Round, look
from difsims_core.storage.objects import ObjectStore, open_store
from tests.ledger.plans import NOW
from tests.ledger.uploads import START, TRIES, ReaderHere, crown


@pytest.fixture(autouse=True)
def read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scans are read in this process, which takes no time to start."""
    monkeypatch.setattr(intake, "ScanReader", ReaderHere)


@pytest.fixture
def store(store_url: str) -> ObjectStore:
    return open_store(store_url)


@pytest.fixture
def files(tmp_path: Path) -> ObjectStore:
    """An empty store on this machine."""
    return open_store(tmp_path / "store")


@pytest.fixture
def home(tmp_path: Path) -> ObjectStore:
    """A store on this machine that has a champion."""
    place = open_store(tmp_path / "store")
    crown(place)
    return place


@pytest.fixture
def later_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """For every store it is the day on which the plans of `plans` are made."""
    monkeypatch.setattr("difsims_core.ledger.store_clock.store_time", lambda _store: NOW)


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
def go(clock: Clock) -> Callable[..., Round]:
    """Rounds a minute apart."""

    def one(store: ObjectStore, **options) -> Round:
        found = look(store, clock.now, tries=TRIES, **options)
        clock.pass_by(minutes=1)
        return found

    return one


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs of scans that were read."""
    monkeypatch.setattr(ReaderHere, "reads", [])
    return ReaderHere.reads
