"""Stores with scans and a champion, and rounds of the intake."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from difsims_core.scans import intake
from difsims_core.scans.intake import Round, look
from difsims_core.storage.objects import ObjectStore, open_store
from tests.uploads import START, TRIES, ReaderHere, crown


@pytest.fixture(autouse=True)
def read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scans are read in this process, which takes no time to start."""
    monkeypatch.setattr(intake, "ScanReader", ReaderHere)


@pytest.fixture
def home(tmp_path: Path) -> ObjectStore:
    """A store on this machine that has a champion."""
    place = open_store(tmp_path / "store")
    crown(place)
    return place


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
