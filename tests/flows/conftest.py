"""What tests of flows have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from difsims_core.config.documents import make_spec
from difsims_core.config.simulation import SimulationSpec


@pytest.fixture(scope="session", autouse=True)
def server(prefect_server: None) -> None:
    """Every test here runs flows."""


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"file://{tmp_path / 'store'}"


@pytest.fixture
def tiny() -> SimulationSpec:
    return make_spec({"n_patterns": 600, "seed": 3, "output": {"x_all": False}})
