"""A Dask cluster that speaks TLS alone: blocks are computed on it, and who has no certificate is not let in."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import dask
import pytest
from distributed import Client

from flows.settings import quieten_prefect

quieten_prefect()

from difsims_core.config.documents import make_spec  # noqa: E402
from difsims_core.dataset import build  # noqa: E402
from difsims_core.dataset.verify import verify  # noqa: E402
from difsims_core.storage.objects import open_store  # noqa: E402
from flows import compute  # noqa: E402
from tests.dask_service import DaskCluster  # noqa: E402

pytestmark = [pytest.mark.dask, pytest.mark.service, pytest.mark.slow]

ROWS = 1024


@pytest.fixture(scope="module")
def settings(certificate) -> dict[str, str]:
    """What scheduler, workers and clients are all given: one authority, a certificate and its key, nothing unencrypted."""
    values = {"comm.default-scheme": "tls", "comm.require-encryption": "true", "comm.tls.ca-file": str(certificate[0])}
    for role in ("scheduler", "worker", "client"):
        values |= {f"comm.tls.{role}.cert": str(certificate[0]), f"comm.tls.{role}.key": str(certificate[1])}
    return {f"distributed.{name}": value for name, value in values.items()}


@pytest.fixture(scope="module")
def address(settings, tmp_path_factory) -> Iterator[str]:
    environment = {f"DASK_{name.replace('.', '__').replace('-', '_').upper()}": item for name, item in settings.items()}
    cluster = DaskCluster(tmp_path_factory.mktemp("dask"), environment, environment)
    found = f"tls://127.0.0.1:{cluster.port}"
    try:
        cluster.start_scheduler()
        cluster.start_worker(scheduler=found)
        yield found
    finally:
        cluster.stop_workers()
        cluster.stop_scheduler()


def test_blocks_are_computed_over_tls(address, settings, tmp_path, monkeypatch):
    monkeypatch.setenv("DIFSIMS_COMPUTE", "dask")
    monkeypatch.setenv("DIFSIMS_DASK_ADDRESS", address)
    store, spec = open_store(tmp_path / "store"), make_spec({"n_patterns": 2 * ROWS, "output": {"x_all": False}})
    plan = build.begin(store, spec, ROWS)
    with dask.config.set(settings):
        assert compute.write_group(store.root, spec, plan, range(2))["written"] == 2
    build.finish(store, plan)
    assert verify(store, plan.id).ok


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_nobody_gets_in_without_a_certificate(address, settings, certificate, scheme):
    authority = {"distributed.comm.tls.ca-file": str(certificate[0])}
    with dask.config.set(authority), pytest.raises(OSError, match="Timed out|TLS|SSL|certificate"):
        Client(address.replace("tls", scheme), timeout=3)


def test_nothing_is_said_in_clear(address):
    """A scheduler greets in clear before anything else where it does not speak TLS; this one says nothing."""
    host, port = address.removeprefix("tls://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.settimeout(2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
