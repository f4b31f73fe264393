"""The parts of a stack, without starting one."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest
from ruamel.yaml import YAML

from difsims_core.resources import deployments_file
from flows.stack.deploy import Deployments
from flows.stack.errors import StackError, StackOptionError
from flows.stack.records import environment as environments
from flows.stack.records.credentials import keep_credentials
from flows.stack.records.environment import MARK, Services, program_environment, write_environments
from flows.stack.records.folder import StackFolder, StackState
from flows.stack.records.options import UpOptions, choose_services
from flows.stack.services.ports import choose_ports, is_free
from flows.stack.services.processes import end, stack_processes
from flows.stack.services.programs import s3_program, server_program, worker_program
from flows.stack.supervision import heartbeat_automations
from flows.stack.supervision.orphaned_runs import OrphanedRuns
from flows.stack.supervision.repair import forget_leases
from flows.stack.supervision.supervisor import configuration
from flows.stack.up import Stack


@pytest.fixture
def folder(tmp_path) -> StackFolder:
    found = StackFolder(tmp_path / "stack")
    found.prepare()
    return found


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def listening(port: int = 0) -> Iterator[int]:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        yield taken.getsockname()[1]


def test_credentials_are_made_once_and_only_their_owner_reads_them(folder):
    made = keep_credentials(folder, auth=None)
    assert mode(folder.credentials) == 0o600
    assert mode(folder.root) == 0o700
    assert made.login is not None
    assert made.login.startswith("difsims:")
    assert len({made.admin.secret_key, made.reader.secret_key, made.admin.access_key, made.reader.access_key}) == 4
    assert keep_credentials(folder, auth=None) == made
    assert not [secret for secret in made.secrets if secret in repr(made)]


def test_the_reader_may_not_write(folder):
    keep_credentials(folder, auth=None)
    identities = json.loads(folder.credentials.read_text())["identities"]
    assert {item["name"]: item["actions"] for item in identities}["reader"] == ["Read", "List"]


def test_a_login_comes_and_goes_on_request_and_stays_otherwise(folder):
    plain = keep_credentials(folder, auth=False)
    assert plain.login is None
    assert keep_credentials(folder, auth=None) == plain
    login = keep_credentials(folder, auth=True)
    assert login.login is not None
    assert login.admin == plain.admin
    assert keep_credentials(folder, auth=None) == login
    assert keep_credentials(folder, auth=True) == login
    assert keep_credentials(folder, auth=False) == plain


def test_a_stack_of_before_gets_a_login_at_its_next_start_and_not_while_it_runs(folder):
    keep_credentials(folder, auth=False)
    told: list[str] = []
    options = UpOptions(folder.root)
    _, running = choose_services(folder, options, told.append, running=True)
    assert running.login is None
    assert told == ["the stack is running; ports and login change at its next start"]
    _, started = choose_services(folder, options, told.append, running=False)
    assert started.login is not None
    _, without = choose_services(folder, UpOptions(folder.root, auth=False), told.append, running=False)
    assert without.login is None


def test_how_to_sign_in_is_said_without_the_secret_and_so_is_what_no_login_opens(folder):
    stack = Stack(UpOptions(folder.root), lambda _line: None)
    services = Services(keep_credentials(folder, auth=True), s3_port=1, prefect_port=2)
    said = stack._login(services)
    assert str(folder.credentials) in said
    assert not [secret for secret in services.credentials.secrets if secret in said]
    said = stack._login(Services(keep_credentials(folder, auth=False), s3_port=1, prefect_port=2))
    assert "every user of this machine may start, change and delete runs, with your rights" in said
    assert "without --no-auth" in said


def test_a_damaged_credentials_file_is_named_and_not_quoted(folder):
    folder.credentials.write_text('{"identities": "hunter2"')
    with pytest.raises(StackError, match=r"credentials\.json: not what `difsims up` writes") as caught:
        keep_credentials(folder, auth=None)
    assert "hunter2" not in str(caught.value)


def test_nothing_that_everybody_may_read_holds_a_secret(folder):
    made = keep_credentials(folder, auth=True)
    ports = choose_ports({}, {}, ("s3", "prefect"))
    programs = [s3_program(folder, ports), server_program(ports), worker_program("worker")]
    text = configuration(folder, programs)
    assert all(f"[program:{name}]" in text for name in ("s3", "server", "worker"))
    assert not [secret for secret in made.secrets if secret in text]


def test_programs_inherit_secrets_and_the_shell_files_are_private(folder, monkeypatch):
    made = keep_credentials(folder, auth=True)
    monkeypatch.setenv("AWS_PROFILE", "somebody")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "other:login")
    monkeypatch.setenv("PREFECT_WORKER_QUERY_SECONDS", "7")
    monkeypatch.setenv("PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED", "false")
    monkeypatch.setenv("PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS", "*")
    services = Services(made, s3_port=1, prefect_port=2)
    found = program_environment(folder, "an-id", services)
    assert found["AWS_SECRET_ACCESS_KEY"] == made.admin.secret_key
    assert found["PREFECT_API_AUTH_STRING"] == found["PREFECT_SERVER_API_AUTH_STRING"] == made.login
    assert "AWS_PROFILE" not in found
    assert found["PREFECT_WORKER_QUERY_SECONDS"] == "7"
    assert found["DIFSIMS_SIMULATIONS_A_MACHINE"] == "1"
    assert found[MARK] == "an-id"
    assert found["PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED"] == "true"
    assert found["PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS"] == "http://127.0.0.1:2,http://localhost:2"
    write_environments(folder, services)
    assert mode(folder.environment) == mode(folder.reader_environment) == 0o600
    for secret in (made.admin.secret_key, str(made.login)):
        assert secret in folder.environment.read_text()
        assert secret not in folder.reader_environment.read_text()
    assert MARK not in folder.environment.read_text()


def test_nothing_of_the_users_shell_leads_elsewhere(folder, monkeypatch):
    elsewhere = {"AWS_ENDPOINT_URL_S3": "https://minio.lab", "AWS_SESSION_TOKEN": "theirs", "PREFECT_API_KEY": "cloud"}
    monkeypatch.setenv("WEED_HTTPS_FILER_CA", "/theirs/ca.pem")
    for name, value in elsewhere.items():
        monkeypatch.setenv(name, value)
    services = Services(keep_credentials(folder, auth=False), s3_port=1, prefect_port=2)
    assert {*elsewhere, "WEED_HTTPS_FILER_CA"} <= set(services.replaced())
    assert "PATH" not in services.replaced()
    write_environments(folder, services)
    script = f"source {folder.environment} && env"
    found = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    assert not [name for name in elsewhere if f"{name}=" in found]
    assert "AWS_ENDPOINT_URL=http://127.0.0.1:1" in found
    existing = Services(keep_credentials(folder, auth=False), s3="s3://lab/difsims", prefect_api="http://lab:4200/api")
    assert not {"AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN"} & set(existing.replaced())
    write_environments(folder, existing)
    assert "AWS_" not in folder.environment.read_text()


def test_a_proxy_of_the_users_shell_gets_nothing_that_is_for_this_machine(folder, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "lab.example")
    services = Services(keep_credentials(folder, auth=True), s3_port=1, prefect_port=2)
    write_environments(folder, services)
    script = f"set -u; unset no_proxy; source {folder.environment}; env"
    shell = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    programs = program_environment(folder, "an-id", services)
    for found in (programs, dict(line.split("=", 1) for line in shell.splitlines() if "=" in line)):
        assert found["NO_PROXY"] == found["no_proxy"] == "lab.example,127.0.0.1,localhost"
    elsewhere = Services(keep_credentials(folder, auth=True), s3="s3://lab/difsims", prefect_api="http://lab:4200/api")
    assert program_environment(folder, "an-id", elsewhere)["NO_PROXY"] == "lab.example"


def test_readers_are_not_sent_to_a_server_whose_login_they_do_not_have(folder, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere:4200/api")
    for auth in (True, False):
        write_environments(folder, Services(keep_credentials(folder, auth=auth), s3_port=1, prefect_port=2))
        script = f"source {folder.reader_environment}; echo ${{PREFECT_API_URL-none}}"
        found = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.strip()
        assert found == ("none" if auth else "http://127.0.0.1:2/api")


def test_existing_services_keep_the_users_own_credentials(folder, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "theirs")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "their:login")
    services = Services(keep_credentials(folder, auth=True), s3="s3://lab/difsims", prefect_api="http://lab:4200/api")
    found = program_environment(folder, "an-id", services)
    assert found["AWS_ACCESS_KEY_ID"] == "theirs"
    assert found["DIFSIMS_STORE"] == "s3://lab/difsims"
    assert found["PREFECT_API_AUTH_STRING"] == services.login == "their:login"
    assert "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE" not in found
    write_environments(folder, services)
    assert "their" not in folder.environment.read_text().replace("lab", "")


def test_an_installed_package_is_not_put_on_the_path_again(monkeypatch):
    assert environments._python_path("") == str(deployments_file().parents[1])
    monkeypatch.setattr(environments.sysconfig, "get_path", lambda _name: str(deployments_file().parents[1]))
    assert environments._python_path("/elsewhere") == "/elsewhere"


def test_ports_are_kept_and_chosen_anew_where_they_are_taken():
    first = choose_ports({}, {}, ("s3", "prefect"))
    assert len(set(first.values())) == len(first) == 11
    assert choose_ports(first, {}, ("s3", "prefect")) == first
    with listening(first["prefect"]):
        assert not is_free(first["prefect"])
        second = choose_ports(first, {}, ("s3", "prefect"))
    assert second["prefect"] != first["prefect"]
    assert second["s3"] == first["s3"]


def test_a_port_that_is_insisted_on_is_not_replaced():
    with listening() as taken, pytest.raises(StackOptionError, match="is taken; choose another --s3-port"):
        choose_ports({}, {"s3": taken}, ("s3",))


def test_a_stack_cannot_change_its_store(folder):
    folder.save_state(StackState(ports={"s3": 1}))
    options = UpOptions(folder.root, s3="s3://lab/difsims")
    with pytest.raises(StackOptionError, match="use another --folder"):
        choose_services(folder, options, lambda _line: None, running=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"s3": "/data/store"}, "expected s3://bucket/prefix"),
        ({"prefect_api": "lab:4200"}, "expected an address such as"),
        ({"prefect_api": "http://me:secret@lab:4200/api"}, "must not carry a login"),
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
    assert f"its `difsims up` is running already (process {os.getpid()})" in refused.stderr
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout == "held\n"


def test_a_path_that_supervisor_would_misread_is_refused(tmp_path):
    with pytest.raises(StackOptionError, match="must not hold #"):
        StackFolder(tmp_path / "a #1").prepare()


def test_sockets_of_a_long_path_lie_elsewhere(tmp_path):
    found = StackFolder(tmp_path / ("long" * 40))
    found.prepare()
    assert len(str(found.sockets)) < 60
    assert mode(found.sockets) == 0o700
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
    assert len(entries) == 9
    for entry in entries:
        module, _, function = entry["entrypoint"].rpartition(".")
        assert getattr(import_module(module), function).name == entry["flow_name"]
        assert entry["name"] == "local"
        assert entry["work_pool"]["name"] == "difsims"
        for trigger in entry.get("triggers", []):
            assert trigger["match"] == {"difsims.store": "{{ $DIFSIMS_STORE }}"}
