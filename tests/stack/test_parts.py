"""The parts of a stack, without starting one."""

from __future__ import annotations

import dataclasses
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from difsims_core.resources import deployments_file
from flows.stack.deploy import Deployments
from flows.stack.errors import StackOptionError
from flows.stack.records.environment import MARK
from flows.stack.records.folder import StackFolder, StackState
from flows.stack.records.options import UpOptions, choose_services
from flows.stack.services.ports import choose_ports, is_free
from flows.stack.services.processes import end, stack_processes
from flows.stack.supervision import heartbeat_automations
from flows.stack.supervision.orphaned_runs import OrphanedRuns
from flows.stack.supervision.repair import forget_leases
from tests.services import free_ports


@contextmanager
def listening(port: int = 0) -> Iterator[int]:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        yield taken.getsockname()[1]


def test_ports_are_kept_and_chosen_anew_where_they_are_taken():
    first = choose_ports({}, {}, ("s3", "prefect"))
    assert len(set(first.values())) == len(first) == 11
    assert choose_ports(first, {}, ("s3", "prefect")) == first
    with listening(first["prefect"]):
        assert not is_free(first["prefect"])
        second = choose_ports(first, {}, ("s3", "prefect"))
    assert second["prefect"] != first["prefect"]
    assert second["s3"] == first["s3"]


def test_no_outgoing_connection_can_take_a_port_before_its_server_starts():
    ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = choose_ports({}, {}, ("s3", "prefect"))
    assert max([*ports.values(), *free_ports(100)]) < ephemeral


def test_a_port_that_is_insisted_on_is_not_replaced():
    with listening() as taken, pytest.raises(StackOptionError, match=rf"{taken}.*--s3-port"):
        choose_ports({}, {"s3": taken}, ("s3",))


def test_a_stack_cannot_change_its_store(folder):
    folder.save_state(StackState(ports={"s3": 1}))
    options = UpOptions(folder.root, s3="s3://lab/difsims")
    with pytest.raises(StackOptionError, match="--folder"):
        choose_services(folder, options, lambda _line: None, running=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"s3": "/data/store"}, "--s3 /data/store: .*s3://bucket/prefix"),
        ({"prefect_api": "lab:4200"}, "--prefect-api lab:4200: .*http://"),
        ({"prefect_api": "http://me:secret@lab:4200/api"}, "PREFECT_API_AUTH_STRING"),
    ],
)
def test_addresses_that_cannot_be_used_are_refused(folder, options, message):
    with pytest.raises(StackOptionError, match=message) as caught:
        choose_services(folder, UpOptions(folder.root, **options), lambda _line: None, running=False)
    assert "secret" not in str(caught.value)


def test_of_two_only_one_holds_a_folder(folder):
    code = (
        "from pathlib import Path; from flows.stack.records.folder import StackFolder\n"
        f"with StackFolder(Path({str(folder.root)!r})).locked(): print('held')"
    )
    with folder.locked():
        refused = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f"{os.getpid()}" in refused.stderr
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout == "held\n"


def test_a_path_that_supervisor_would_misread_is_refused(tmp_path):
    with pytest.raises(StackOptionError, match=r"a #1: .*#.*--folder"):
        StackFolder(tmp_path / "a #1").prepare()


def test_sockets_of_a_long_path_lie_elsewhere(tmp_path):
    found = StackFolder(tmp_path / ("long" * 40))
    found.prepare()
    assert len(str(found.sockets)) < 60
    assert stat.S_IMODE(found.sockets.stat().st_mode) == 0o700
    found.sockets.rmdir()


def test_processes_are_found_by_their_mark_and_ended(tmp_path):
    command = [sys.executable, "-c", "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"]
    environment = dict(os.environ) | {MARK: "test-mark"}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE) as process:
        while len(stack_processes("test-mark")) < 2:
            assert process.poll() is None
        assert end(stack_processes("test-mark")) == []
        assert stack_processes("test-mark") == []


class Records:
    """Runs of a server, and the states that were set."""

    def __init__(self, *runs: dict[str, Any]) -> None:
        self.runs, self.ended = list(runs), {}

    def all(self, _path: str, _body: dict[str, Any]) -> list[dict[str, Any]]:
        return [run for run in self.runs if run["id"] not in self.ended]

    def post(self, path: str, body: dict[str, Any]) -> None:
        self.ended[path.split("/")[2]] = body["state"]["type"]


def test_a_run_without_a_process_is_lost_after_a_second_look():
    records = Records(
        {"id": "gone", "infrastructure_pid": None, "name": "one", "state": {"type": "RUNNING"}},
        {"id": "unwanted", "infrastructure_pid": None, "name": "two", "state": {"type": "CANCELLING"}},
        {"id": "begins", "infrastructure_pid": None, "name": "three", "state": {"type": "PENDING"}},
        {"id": "alive", "infrastructure_pid": None, "name": "four", "state": {"type": "RUNNING"}},
    )
    lost = OrphanedRuns(records)
    environment = dict(os.environ) | {"PREFECT__FLOW_RUN_ID": "alive"}
    with subprocess.Popen([sys.executable, "-c", "input()"], env=environment, stdin=subprocess.PIPE) as process:
        assert lost.look() == []
        assert lost.look() == ["one", "two"]
        assert records.ended == {"gone": "CRASHED", "unwanted": "CANCELLED"}
        assert [lost.look() for _ in range(4)] == [[], [], [], ["three"]]
        process.kill()


def test_old_leases_are_forgotten(folder):
    forget_leases(folder)
    folder.leases.mkdir()
    (folder.leases / "expirations.json").write_text("{}")
    forget_leases(folder)
    assert list(folder.leases.iterdir()) == []


def test_memory_comes_back_whole(folder):
    assert folder.load_state() is None
    state = StackState(ports={"s3": 8333}, deployed="abc")
    folder.save_state(state)
    assert folder.load_state() == state
    assert dataclasses.asdict(state)["id"] == state.id


def test_deployments_are_made_again_when_something_of_them_changes(tmp_path):
    shipped, other = Deployments.of(None), Deployments.of(tmp_path / "prefect.yaml")
    other.path.write_text(shipped.path.read_text() + "# another one\n")
    digests = {shipped.digest("s3://difsims"), shipped.digest("s3://lab/difsims"), other.digest("s3://difsims")}
    assert len(digests) == 3
    assert shipped.digest("s3://difsims") in digests


def test_the_watch_for_zombies_knows_every_flow():
    assert {name.split("/")[0] for name in Deployments.of(None).names} == set(heartbeat_automations.FLOWS)


def test_every_deployment_names_a_flow_that_is_there():
    entries = YAML(typ="safe", pure=True).load(deployments_file())["deployments"]
    assert len(entries) == 10
    for entry in entries:
        module, _, function = entry["entrypoint"].rpartition(".")
        assert getattr(import_module(module), function).name == entry["flow_name"]
        assert entry["name"] == "local"
        assert entry["work_pool"]["name"] == "difsims"
        for trigger in entry.get("triggers", []):
            assert trigger["match"] == {"difsims.store": "{{ $DIFSIMS_STORE }}"}
