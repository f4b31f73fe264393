"""Checks of a real Dask cluster: no scheduler, no workers, workers without credentials, other versions."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from flows.doctor import dask
from flows.doctor.checks import DoctorContext
from flows.doctor.examine import all_checks, examine
from flows.settings import quieten_prefect
from tests.dask_service import running_dask
from tests.services import free_ports

quieten_prefect()


def look(store: str | None = None) -> dict[str, tuple[str, str]]:
    wanted = [item for item in all_checks() if item.name.startswith("Dask")]
    return {item.name: (item.status, item.found) for item in examine(DoctorContext(store), wanted)}


def test_without_an_address_there_is_nothing_to_look_at():
    assert look() == {}


@pytest.mark.dask
def test_a_cluster_is_looked_at_from_the_outside_in(tmp_path, monkeypatch):
    environment = {"AWS_EC2_METADATA_DISABLED": "true"}
    with running_dask(tmp_path / "dask", workers=0, environment=environment) as cluster:
        monkeypatch.setenv("DIFSIMS_DASK_ADDRESS", cluster.address)
        assert "no workers" in look()["Dask"][1]
        cluster.start_worker()
        cluster.await_workers(1)
        here = look(str(tmp_path / "store"))
        assert {status for status, _ in here.values()} == {"ok"}
        assert set(here) == {"Dask", "Dask: versions", "Dask: store"}
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "never-to-be-seen")  # here, not at the worker
        status, found = look("s3://lab/x")["Dask: store"]
        assert status == "fail"
        assert "1 of 1 workers cannot" in found
        assert "credentials" in found
        monkeypatch.setattr(dask, "version", lambda name: "0.1" if name == "numba" else version(name))
        status, found = look(str(tmp_path / "store"))["Dask: versions"]
        assert status == "fail"
        assert "here 0.1" in found


@pytest.mark.dask
def test_a_scheduler_that_is_away_is_named(monkeypatch):
    monkeypatch.setattr("flows.execution.executors.dask_cluster.CONNECT_SECONDS", 1.0)
    monkeypatch.setenv("DIFSIMS_DASK_ADDRESS", f"tcp://127.0.0.1:{free_ports(1)[0]}")
    status, found = look()["Dask"]
    assert status == "fail"
    assert "no Dask scheduler answers" in found
