"""Workers take credentials from their own environment; nothing that is sent to a scheduler holds any."""

from __future__ import annotations

import platform

import cloudpickle
import pytest

from difsims_core.dataset import build
from difsims_core.dataset.remote import block_order
from difsims_core.errors import StoreAccessError
from difsims_core.storage.objects import open_store
from flows.execution import compute
from flows.execution.executors import dask as dask_executor
from tests.dask.conftest import use
from tests.dask.listening import listening_to

pytestmark = [pytest.mark.dask, pytest.mark.service]

ROWS = 1024


@pytest.fixture
def begun(s3_store_url, spec):
    store = open_store(s3_store_url)
    return store, build.begin(store, spec, ROWS)


def test_a_worker_without_credentials_says_where_to_set_them(cluster, begun, spec):
    store, plan = begun
    with pytest.raises(StoreAccessError, match=rf"{platform.node()}.*AWS_"):
        compute.write_group(store.root, spec, plan, range(plan.n_blocks))


def test_no_secret_travels(own_cluster, begun, spec, s3_service, monkeypatch):
    """All that client, scheduler and worker say to each other is recorded, as it goes over the wire."""
    store, plan = begun
    own_cluster.environment = s3_service.environment
    with listening_to(own_cluster.port) as (address, heard):
        use(monkeypatch, address)
        own_cluster.start_worker(scheduler=address)
        compute.write_group(store.root, spec, plan, range(plan.n_blocks))
    assert build.finish(store, plan).n_blocks == 5
    said = b"".join(heard)
    assert store.root.encode() in said, "the record is not what was said"
    assert b"write_remote_block" in said
    for secret in (s3_service.secret_key, s3_service.access_key):
        assert secret.encode() not in said


def test_what_a_worker_is_told_is_text_without_secrets(begun, spec, s3_service):
    store, plan = begun
    order = block_order(spec, plan, store.root)
    assert all(type(value) is str for value in order.values())
    sent = cloudpickle.dumps((dask_executor.call_by_name(), order))
    assert store.root.encode() in sent
    for secret in (s3_service.secret_key, s3_service.access_key):
        assert secret.encode() not in sent
