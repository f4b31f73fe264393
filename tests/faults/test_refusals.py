"""What will not go away by itself: one line with a remedy, nothing lost, and the run goes on once the cause is gone."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import botocore.auth
import pytest
from typer.testing import CliRunner

from difsims_core.dataset import build
from difsims_core.dataset.plan import Plan
from difsims_core.errors import MissingObjectError
from difsims_core.storage.objects import ObjectStore, open_store
from flows import tasks
from flows.cli import app
from tests.fault_proxy import Chosen, Faults
from tests.faults.datasets import Dataset, assert_same, build_blocks, count_blocks, finished
from tests.flows.prefect_records import latest_run
from tests.services import S3Server, free_ports, running_server

SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
Cause = Callable[[pytest.FixtureRequest], "Iterator[None]"]


def run_simulate(document: str, store: ObjectStore):
    return CliRunner().invoke(app, ["simulate", document, "--store", store.root])


def assert_one_line(result, code: int, *said: str) -> None:
    """Hold a command to have failed with one line that says these things, and no secret."""
    assert result.exit_code == code, result.output
    errors = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1, result.stderr
    for text in said:
        assert text in errors[0]
    assert "Traceback" not in result.output
    assert result.stdout == ""
    for name in SECRETS:
        assert not os.environ.get(name) or os.environ[name] not in result.output


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
        for task in (tasks.begin_dataset, tasks.write_blocks, tasks.finished_blocks):
            patch.setattr(task, "retries", 0)  # that they are tried again is held elsewhere; here it takes a minute
        yield


@pytest.mark.service
@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (wrong_secret, ("SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY")),
        (no_credentials, ("no credentials found", "set AWS_ACCESS_KEY_ID")),
        (read_only, ("AccessDenied", "write")),
        (slow_clock, ("RequestTimeTooSkewed", "clock")),
        pytest.param(closed_port, ("127.0.0.1", "AWS_ENDPOINT_URL"), marks=pytest.mark.slow),
    ],
)
def test_a_refusing_store_costs_no_work(cause, said, store, spec, document, undisturbed, request, monkeypatch):
    plan = build_blocks(store, spec, [0, 3])
    simulated = count_blocks(monkeypatch)
    with cause(request):
        assert_one_line(run_simulate(document, store), 1, *said)
        assert latest_run("simulate").state.is_failed()
    assert simulated.count(0) == simulated.count(3) == 0
    resumed(document, plan, store, undisturbed, simulated)


def resumed(document: str, plan: Plan, store: ObjectStore, undisturbed: Dataset, simulated: list[int]) -> None:
    """Hold the same command to complete the dataset, and to redo no block that was finished."""
    done = finished(store, plan)
    assert {0, 3} <= done
    assert not store.exists(f"simulations/{plan.id}.zarr/complete.json")
    before = len(simulated)
    result = run_simulate(document, store)
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == plan.id
    assert sorted(simulated[before:]) == sorted(set(range(plan.n_blocks)) - done)
    assert_same(Dataset(store, plan.id), undisturbed)


@pytest.mark.service
@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (403, "AccessDenied", ("AccessDenied",)),
        (403, "RequestTimeTooSkewed", ("RequestTimeTooSkewed", "clock")),
        (507, "InsufficientStorage", ("507", "full")),
        (507, "XMinioStorageFull", ("XMinioStorageFull", "full")),
    ],
)
def test_a_store_that_begins_to_refuse(status, code, said, proxy, store, spec, document, undisturbed, monkeypatch):
    """In the middle of a run, after some blocks and a part of the next one."""
    plan = build_blocks(store, spec, [0, 3])
    simulated = count_blocks(monkeypatch)
    monkeypatch.setattr(tasks.write_blocks, "retries", 0)
    proxy.faults = Faults(chosen=[Chosen("PutObject", plan.id, status, code, skip=30)])
    assert_one_line(run_simulate(document, store), 1, *said)
    assert proxy.counts["failed"] > 0
    proxy.faults = Faults()
    resumed(document, plan, store, undisturbed, simulated)


@pytest.mark.service
def test_a_missing_bucket_is_named(s3_store_url, document):
    result = run_simulate(document, open_store("s3://no-such-bucket/prefix"))
    assert_one_line(result, 1, "bucket 'no-such-bucket' does not exist", "create it", "DIFSIMS_STORE")


@pytest.mark.service
@pytest.mark.slow
def test_a_full_s3_store(tmp_path, spec, document, undisturbed, monkeypatch):
    """SeaweedFS with room for a few megabytes; with more room the same run goes on."""
    room = ["-master.volumeSizeLimitMB=1", "-volume.max=3"]
    monkeypatch.setattr(tasks.write_blocks, "retries", 0)
    with running_server(tmp_path / "weed", room) as server:
        for name, value in server.service.environment.items():
            monkeypatch.setenv(name, value)
        store = open_store("s3://difsims/full")
        plan = build_blocks(store, spec, [0, 3])
        simulated = count_blocks(monkeypatch)
        fill(store)
        assert_one_line(run_simulate(document, store), 1, "InternalError", "full", "finished blocks are kept")
        enlarge(server)
        resumed(document, plan, store, undisturbed, simulated)


def fill(store: ObjectStore) -> None:
    """Write until the server has no room for another byte."""
    from difsims_core.errors import StoreError

    with pytest.raises(StoreError):
        for number in range(100):
            store.write(f"filling/{number}", os.urandom(500_000))


def enlarge(server: S3Server) -> None:
    server.stop()
    server.options = ("-volume.max=30",)
    server.start()


@contextmanager
def file_size_limit(_folder: Path) -> Iterator[None]:
    """No file of this process may be larger than the first pieces of a dataset: a quota, as a disk has them."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def no_space(folder: Path) -> Iterator[None]:
    """The small disk is filled to the last byte."""
    filling = folder / "filling"
    with filling.open("wb") as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(b"\0" * 4096)
            file.flush()
    try:
        yield
    finally:
        filling.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of a few megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system, and not in every container")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(params=[file_size_limit, no_space], ids=lambda fault: fault.__name__)
def full_disk(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Callable[[Path], Iterator[None]]]:
    if request.param is no_space:
        return request.getfixturevalue("small_disk"), no_space
    return tmp_path, request.param


def test_a_full_disk(full_disk, spec, document, undisturbed, monkeypatch):
    folder, fault = full_disk
    store = open_store(folder / "store")
    plan = build_blocks(store, spec, [0, 3])
    simulated = count_blocks(monkeypatch)
    monkeypatch.setattr(tasks.write_blocks, "retries", 0)
    with fault(folder):
        result = run_simulate(document, store)
    assert_one_line(result, 1, "disk that holds it is full", "free space", "finished blocks are kept")
    assert not [path for path in folder.rglob("*.partial")]
    resumed(document, plan, store, undisturbed, simulated)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("n_patterns=0", ("n_patterns", "greater than or equal to 1")),
        ("n_pattern=10", ("n_pattern", "did you mean 'n_patterns'")),
        ("phases=[unobtainium]", ("unobtainium",)),
    ],
)
def test_a_value_out_of_range_is_found_before_anything_starts(change, said, document, tmp_path):
    result = CliRunner().invoke(app, ["simulate", document, "--set", change, "--store", str(tmp_path / "store")])
    assert_one_line(result, 2, *said)
    assert not (tmp_path / "store").exists()


def test_nothing_is_taken_for_whole(store, spec):
    plan = build_blocks(store, spec, [0])
    with pytest.raises(MissingObjectError):
        store.read(f"simulations/{plan.id}.zarr/complete.json")
    assert not build.read_plan(store, plan.id).complete
