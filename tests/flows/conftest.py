"""What tests of flows have in common."""

from __future__ import annotations

import json
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


def record_files(store: str) -> list[Path]:
    """Return the results that Prefect keeps in a store."""
    folder = Path(store.removeprefix("file://")) / "cache" / "results"
    return sorted(path for path in folder.rglob("*") if path.is_file())


def read_record(path: Path) -> dict[str, object]:
    return json.loads(path.read_text())
