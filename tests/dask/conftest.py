"""One Dask cluster for all tests of this folder: a scheduler and a worker take a few seconds to start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.settings import quieten_prefect

quieten_prefect()

from difsims_core.config.documents import make_spec  # noqa: E402
from difsims_core.config.simulation import SimulationSpec  # noqa: E402
from difsims_core.storage.objects import ObjectStore, open_store  # noqa: E402
from tests.dask_service import DaskCluster, running_dask  # noqa: E402


@pytest.fixture(scope="session")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    folder = tmp_path_factory.mktemp("dask")
    bare = folder / "bare.py"
    bare.write_text("import sys\nsys.modules['difsims_core'] = None\n")  # the scheduler needs nothing of ours
    environment = {"DASK_DISTRIBUTED__SCHEDULER__PRELOAD": str(bare)}
    with running_dask(folder, workers=1, threads=2, scheduler_environment=environment) as cluster:
        yield cluster


@pytest.fixture
def cluster(shared_cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch) -> DaskCluster:
    """A cluster with one worker, which knows no credentials; the settings say to use it."""
    use(monkeypatch, shared_cluster.address)
    return shared_cluster


@pytest.fixture
def own_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DaskCluster]:
    """A cluster of this test alone, without workers."""
    with running_dask(tmp_path / "dask", workers=0) as cluster:
        use(monkeypatch, cluster.address)
        yield cluster


def use(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("DIFSIMS_COMPUTE", "dask")
    monkeypatch.setenv("DIFSIMS_DASK_ADDRESS", address)


@pytest.fixture
def spec() -> SimulationSpec:
    return make_spec({"n_patterns": 5 * 1024 - 100, "seed": 4, "output": {"x_all": False}})


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(tmp_path / "store")
