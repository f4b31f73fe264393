"""The clock of the stores whose retention is planned."""

from __future__ import annotations

import pytest

from tests.housekeeping.plans import NOW


@pytest.fixture
def later_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """For every store it is the day on which the plans of `plans` are made."""
    monkeypatch.setattr("difsims_core.housekeeping.store_clock.store_time", lambda _store: NOW)
