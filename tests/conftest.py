"""Surroundings of all tests: nothing phones home, no credentials of the developer are used, services on request."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.settings import quieten_prefect

quieten_prefect()

# First of all: when Prefect sets up logging it closes the handlers that TensorFlow has made, and with them the stream
# by which pytest captures.
import prefect.main  # noqa: E402, F401
from prefect.testing.utilities import prefect_test_harness  # noqa: E402

# Before any test loads orix by itself: the processes of the tests begin at once, and on a new installation each of
# them would compile it.
from difsims_core.crystal.libraries import Phase  # noqa: E402, F401
from difsims_core.storage.objects import ObjectStore, open_store  # noqa: E402
from tests.services import S3Service, running_s3  # noqa: E402

for _name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[_name]
os.environ.update(
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    AWS_EC2_METADATA_DISABLED="true",
    DO_NOT_TRACK="1",
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    TF_CPP_MIN_LOG_LEVEL="3",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files with the longest tests come first: begun at the end, one would leave the other processes idle."""
    longest = {item.path for item in items if item.get_closest_marker("kill") or item.get_closest_marker("stack")}
    items.sort(key=lambda item: item.path not in longest)


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """One Prefect server for all tests of flows in this process: a start takes half a minute."""
    with prefect_test_harness(server_startup_timeout=180):
        yield


@pytest.fixture(scope="session")
def s3_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Service]:
    """A real S3 server with one bucket and credentials of its own."""
    with running_s3(tmp_path_factory.mktemp("seaweedfs")) as service:
        yield service


@pytest.fixture
def s3_store_url(s3_service: S3Service, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """URL of an empty store on it; the environment holds the credentials while the test runs."""
    for name, value in s3_service.environment.items():
        monkeypatch.setenv(name, value)
    return f"s3://{s3_service.bucket}/{os.urandom(6).hex()}"


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.service)])
def store_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """URL of an empty store, of every scheme in turn."""
    if request.param == "s3":
        return request.getfixturevalue("s3_store_url")
    return f"file://{tmp_path_factory.mktemp('store')}"


@pytest.fixture
def store(store_url: str) -> ObjectStore:
    """An empty store, of every scheme in turn."""
    return open_store(store_url)


@pytest.fixture
def files(tmp_path: Path) -> ObjectStore:
    """An empty store on this machine."""
    return open_store(tmp_path / "store")
