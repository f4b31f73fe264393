"""What will not go away by itself: one line with a remedy, nothing lost, and the run goes on once the cause is gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import botocore.auth
import pytest

from tests.fault_proxy import Chosen, Faults
from tests.faults.commands import assert_one_line, assert_resumed, run_simulate
from tests.faults.datasets import build_blocks, count_blocks, finished
from tests.services import free_ports


@contextmanager
def wrong_secret(request: pytest.FixtureRequest) -> Iterator[None]:
    with request.getfixturevalue("monkeypatch").context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret-of-this-server")
        yield


@contextmanager
def no_credentials(request: pytest.FixtureRequest) -> Iterator[None]:
    with request.getfixturevalue("monkeypatch").context() as patch:
        patch.delenv("AWS_ACCESS_KEY_ID")
        patch.delenv("AWS_SECRET_ACCESS_KEY")
        yield


@contextmanager
def read_only(request: pytest.FixtureRequest) -> Iterator[None]:
    with request.getfixturevalue("monkeypatch").context() as patch:
        for name, value in request.getfixturevalue("s3_service").reader.environment.items():
            patch.setenv(name, value)
        yield


@contextmanager
def slow_clock(request: pytest.FixtureRequest) -> Iterator[None]:
    """The clock that requests are signed by is an hour late: it is the server that notices."""
    now = botocore.auth.get_current_datetime
    with request.getfixturevalue("monkeypatch").context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda *a, **k: now(*a, **k) - timedelta(hours=1))
        yield


@contextmanager
def closed_port(request: pytest.FixtureRequest) -> Iterator[None]:
    with request.getfixturevalue("monkeypatch").context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_ports(1)[0]}")
        yield


@pytest.mark.service
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (wrong_secret, ("SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY")),
        (no_credentials, ("no credentials found", "set AWS_ACCESS_KEY_ID")),
        (read_only, ("AccessDenied to PutObject", "may not")),
        (slow_clock, ("RequestTimeTooSkewed", "clock")),
        (closed_port, ("127.0.0.1", "AWS_ENDPOINT_URL")),
    ],
)
def test_a_refusing_store_costs_no_work(cause, said, store, spec, document, request):
    plan = build_blocks(store, spec, [0])
    with cause(request):
        assert_one_line(run_simulate(document, store.root), 1, *said)
    assert finished(store, plan) == {0}


@pytest.mark.service
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (403, "AccessDenied", ("AccessDenied",)),
        (403, "RequestTimeTooSkewed", ("RequestTimeTooSkewed", "clock")),
        (507, "XMinioStorageFull", ("XMinioStorageFull", "full", "free space")),
    ],
)
def test_a_store_that_begins_to_refuse(status, code, said, proxy, store, spec, document, undisturbed, monkeypatch):
    """In the middle of a run, after some blocks and a part of the next one."""
    plan = build_blocks(store, spec, [0, 3])
    simulated = count_blocks(monkeypatch)
    proxy.faults = Faults(chosen=[Chosen("PutObject", plan.id, status, code, skip=30)])
    assert_one_line(run_simulate(document, store.root), 1, *said)
    assert proxy.counts["failed"] > 0
    proxy.faults = Faults()
    assert_resumed(document, plan, store, undisturbed, simulated)


@pytest.mark.service
def test_a_missing_bucket_is_named(s3_store_url, document):
    result = run_simulate(document, "s3://no-such-bucket/prefix")
    assert_one_line(result, 1, "bucket 'no-such-bucket' does not exist", "create it", "DIFSIMS_STORE")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("n_patterns=0", ("n_patterns", "greater than or equal to 1")),
        ("n_pattern=10", ("n_pattern", "did you mean 'n_patterns'")),
        ("phases=[unobtainium]", ("unobtainium",)),
    ],
)
def test_a_value_out_of_range_is_found_before_anything_starts(change, said, document, tmp_path):
    assert_one_line(run_simulate(document, str(tmp_path / "store"), "--set", change), 2, *said)
    assert not (tmp_path / "store").exists()
