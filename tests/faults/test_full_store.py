"""A store without room: it is said, nothing half-written is left, and with more room the run goes on."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from difsims_core.storage.objects import open_store
from tests.faults.commands import assert_one_line, assert_resumed, run_simulate
from tests.faults.datasets import build_blocks, count_blocks
from tests.services import S3Server, running_server
from tests.stack_service import wait_until

Fault = Callable[[Path], AbstractContextManager[None]]


@pytest.mark.service
@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
def test_a_full_s3_store(tmp_path, spec, document, undisturbed, monkeypatch):
    """SeaweedFS with room for a few megabytes; with more room the same run goes on."""
    room = ["-master.volumeSizeLimitMB=1", "-volume.max=3"]
    with running_server(tmp_path / "weed", room) as server:
        for name, value in server.service.environment.items():
            monkeypatch.setenv(name, value)
        store = open_store("s3://difsims/full")
        plan = build_blocks(store, spec, [0, 3])
        simulated = count_blocks(monkeypatch)
        fill(server)
        assert_one_line(run_simulate(document, store.root), 1, "InternalError", "full", "free space")
        enlarge(server)
        assert_resumed(document, plan, store, undisturbed, simulated)


def fill(server: S3Server) -> None:
    """Write until the server has no room for another byte."""
    with pytest.raises(ClientError, match="InternalError"):
        _write_much(server.service.bucket)


def _write_much(bucket: str) -> None:
    client = _client()
    for number in range(100):
        client.put_object(Bucket=bucket, Key=f"filling/{number}", Body=os.urandom(500_000))


def _client() -> Any:
    once = Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"})
    return botocore.session.get_session().create_client("s3", config=once)


def enlarge(server: S3Server) -> None:
    server.stop()
    server.options = ("-volume.max=30",)
    server.start()
    # It says that it is ready before it has found all that it holds.
    wait_until(lambda: _holds(server.service.bucket, "filling/0"), 60, lambda: "what was stored is not found again")


def _holds(bucket: str, key: str) -> bool:
    try:
        return bool(_client().get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError:
        return False


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
    with pytest.raises(OSError, match="No space left"):
        _write_forever(filling)
    try:
        yield
    finally:
        filling.unlink()


def _write_forever(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)


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
def full_disk(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Fault]:
    if request.param is no_space:
        return request.getfixturevalue("small_disk"), no_space
    return tmp_path, request.param


@pytest.mark.usefixtures("impatient")
def test_a_full_disk(full_disk, spec, document, undisturbed, monkeypatch):
    folder, fault = full_disk
    store = open_store(folder / "store")
    plan = build_blocks(store, spec, [0, 3])
    simulated = count_blocks(monkeypatch)
    with fault(folder):
        result = run_simulate(document, store.root)
    assert_one_line(result, 1, "disk that holds it is full", "free space", "finished blocks are kept")
    assert not list(folder.rglob("*.partial"))
    assert_resumed(document, plan, store, undisturbed, simulated)
