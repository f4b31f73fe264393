"""A Dask cluster that speaks TLS alone: blocks are computed on it, and who has no certificate is not let in."""

from __future__ import annotations

import socket
import ssl
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
from flows.execution import compute  # noqa: E402
from tests.dask_service import DaskCluster  # noqa: E402

pytestmark = [pytest.mark.dask, pytest.mark.service, pytest.mark.slow]

ROWS = 1024


@pytest.fixture(scope="module")
def settings(certificate) -> dict[str, str]:
    """What scheduler, workers and clients are given: an authority, a certificate and its key, nothing in clear."""
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
        assert compute.write_group(store.root, spec, plan, range(2)).written == 2
    build.finish(store, plan)
    assert verify(store, plan.id).ok


def test_nobody_gets_in_without_a_certificate(address, certificate):
    """To trust the scheduler is not enough: it wants to know who asks."""
    stranger = ssl.create_default_context(cafile=str(certificate[0]))
    host, port = address.removeprefix("tls://").split(":")
    with (
        socket.create_connection((host, int(port)), timeout=10) as plain,
        pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"),
        stranger.wrap_socket(plain, server_hostname=host) as secure,
    ):
        secure.recv(1)


def test_nobody_gets_in_without_tls(address):
    with pytest.raises(OSError, match=r"reset|closed|[Tt]imed out"):
        Client(address.replace("tls://", "tcp://"), timeout=5)
