"""The simulate flow against a real S3 server: the same id again, no secret in what is kept, refused credentials."""

from __future__ import annotations

import pytest

from difsims_core.dataset.verify import verify
from difsims_core.errors import StoreAccessError
from difsims_core.storage.objects import open_store
from flows.simulate import simulate
from tests.flows.prefect_records import latest_run, task_runs_of

pytestmark = pytest.mark.service


def test_to_s3_and_again(s3_store_url, s3_service, tiny):
    simulation = simulate(tiny, s3_store_url)
    store = open_store(s3_store_url)
    assert verify(store, simulation, resimulate=1).ok
    assert simulate(tiny, s3_store_url) == simulation
    assert latest_run("simulate").state_name == "Reused"
    assert not store.list("cache")
    records = [key for key in store.list("") if key.endswith(".json")]
    assert records
    for key in records:
        text = store.read(key).decode()
        assert s3_service.secret_key not in text
        assert s3_service.access_key not in text


def test_refused_credentials_fail_at_once(s3_store_url, tiny, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StoreAccessError, match="AWS_"):
        simulate(tiny, s3_store_url)
    run = latest_run("simulate")
    assert run.state.is_failed()
    assert "wrong" not in run.state.message
    assert [item.run_count for item in task_runs_of(run)] == [1]
