"""A Prefect server, a small dataset nothing happened to, and a proxy that makes things happen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.retries.standard import ExponentialBackoff

from difsims_core.config.documents import dump_spec, make_spec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.dataset import build
from difsims_core.retrying import Retry
from difsims_core.storage.objects import ObjectStore, open_store
from flows.execution import steps
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.faults.datasets import ROWS, Dataset, build_blocks
from tests.services import S3Service


@pytest.fixture(scope="session", autouse=True)
def server(prefect_server: None) -> None:
    """Every test here runs flows."""


@pytest.fixture(scope="session")
def spec() -> SimulationSpec:
    """Five blocks, the last one partly filled."""
    return make_spec({"n_patterns": 5 * ROWS - 300, "seed": 5, "output": {"x_all": False}})


@pytest.fixture(scope="session")
def undisturbed(spec: SimulationSpec, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The same dataset, made in peace."""
    store = open_store(tmp_path_factory.mktemp("undisturbed"))
    plan = build_blocks(store, spec, range(5))
    build.finish(store, plan)
    return Dataset(store, plan.id)


@pytest.fixture
def document(spec: SimulationSpec, tmp_path: Path) -> str:
    path = tmp_path / "document.yaml"
    path.write_text(dump_spec(spec))
    return str(path)


@pytest.fixture
def proxy(s3_store_url: str, s3_service: S3Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """A proxy in front of the S3 server; the environment points to it while the test runs."""
    with fault_proxy(s3_service.endpoint) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.endpoint)
        yield running


@pytest.fixture
def store(s3_store_url: str) -> ObjectStore:
    return open_store(s3_store_url)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many tries as ever, and next to no time between them: for failures that waiting does not cure."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.01)
    for step in (steps.begin_dataset, steps.finished_blocks, steps.write_blocks):
        monkeypatch.setitem(vars(step), "retry", Retry(2, 0.01))
        monkeypatch.setattr(step.task, "retry_delay_seconds", [0.01])
        monkeypatch.setattr(step.task, "retries", 1)
