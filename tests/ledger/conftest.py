"""Stores with scans and a champion, and rounds of the intake."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from difsims_core.ledger import intake
from difsims_core.ledger.intake import Round, look
from difsims_core.storage.objects import ObjectStore, open_store
from tests.ledger.uploads import START, TRIES, crown


@pytest.fixture
def store(store_url: str) -> ObjectStore:
    return open_store(store_url)


@pytest.fixture
def home(tmp_path: Path) -> ObjectStore:
    """A store on this machine that has a champion."""
    place = open_store(tmp_path / "store")
    crown(place)
    return place


@pytest.fixture
def go() -> Callable[..., Round]:
    """Rounds a minute apart."""
    minutes = iter(range(10**6))

    def one(store: ObjectStore, **options) -> Round:
        return look(store, START + timedelta(minutes=next(minutes)), tries=TRIES, **options)

    return one


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The URLs of scans that were read."""
    seen: list[str] = []
    original = intake.read_profiles

    def read(url):
        seen.append(url)
        return original(url)

    monkeypatch.setattr(intake, "read_profiles", read)
    return seen
