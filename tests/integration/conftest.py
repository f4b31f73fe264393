"""Stores and small datasets of the integration tests."""

from __future__ import annotations

import pytest

from difsims_core.config.simulation import SimulationSpec
from difsims_core.storage.objects import ObjectStore, open_store


@pytest.fixture
def store(store_url: str) -> ObjectStore:
    """An empty store, of every scheme in turn."""
    return open_store(store_url)


@pytest.fixture
def small_spec() -> SimulationSpec:
    """Three blocks of 1024 rows, the last one partly filled."""
    return SimulationSpec(n_patterns=2500, seed=3)
