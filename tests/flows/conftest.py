"""One Prefect server for all tests of flows: a start takes half a minute."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.settings import quieten_prefect

quieten_prefect()

from prefect.testing.utilities import prefect_test_harness  # noqa: E402 - Prefect reads its environment when imported

from difsims_core.config.documents import make_spec  # noqa: E402
from difsims_core.config.simulation import SimulationSpec  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def prefect_server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield


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
