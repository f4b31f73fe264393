"""Surroundings of all tests: nothing phones home, no credentials of the developer are used, services on request."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
from tests import effort  # noqa: E402
from tests.lane_times import LaneTimes  # noqa: E402
from tests.lanes import Lanes  # noqa: E402
from tests.selection import ALL, Selection, belongs_to, read_history, select  # noqa: E402
from tests.services import S3Service, running_s3  # noqa: E402
from tests.warm import compile_once  # noqa: E402

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


_ROOT = Path(__file__).resolve().parents[1]
_SELECTION = pytest.StashKey[Selection]()


def pytest_configure(config: pytest.Config) -> None:
    """Decide once, in the process that starts the others, which groups run, and compile what all of them use."""
    sent: dict[str, Any] | None = getattr(config, "workerinput", None)
    if sent is not None:
        config.stash[_SELECTION] = Selection(frozenset(sent["groups"]), sent["reason"])
    else:
        history = read_history(_ROOT)
        found = select(history, os.environ.get("DIFSIMS_TESTS", ""))
        effort.announce(found, history.commits)
        if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
            found = Selection(ALL, "the tests that were named")
        config.stash[_SELECTION] = found
        if config.getoption("numprocesses", None) and not config.option.collectonly:
            compile_once()
    effort.load_profile()
    config.pluginmanager.register(LaneTimes())


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Send the decision along to a process of the tests."""
    selection = node.config.stash[_SELECTION]
    node.workerinput |= {"groups": sorted(selection.groups), "reason": selection.reason}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Lanes | None:
    """Let some processes wait for services while others compute."""
    return Lanes(config, log) if config.getvalue("dist") == "loadgroup" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the tests of groups that do not run."""
    skip_unselected(items, config.stash[_SELECTION])


def skip_unselected(items: list[pytest.Item], selection: Selection) -> None:
    """Mark tests all of whose groups do not run, so that they are counted as skipped."""
    for item in items:
        path = item.path.relative_to(_ROOT).as_posix()
        groups = belongs_to(path, {marker.name for marker in item.iter_markers()})
        if groups and not groups & selection.groups:
            told = f"nothing that the group {' or '.join(sorted(groups))} tests has changed lately"
            item.add_marker(pytest.mark.skip(reason=told))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what was run, and what was not."""
    selection = config.stash[_SELECTION]
    left = f"; skipped: {', '.join(sorted(selection.skipped))}" if selection.skipped else ""
    terminalreporter.write_line(f"{selection.reason}{left}")


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
