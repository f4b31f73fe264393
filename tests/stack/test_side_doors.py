"""The side doors of a stack's SeaweedFS, tried as strangers and pages would: nothing is read, written or removed."""

from __future__ import annotations

import os
import socket
import ssl
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from threading import Event, Thread

import httpx
import psutil
import pytest

from difsims_core.errors import StoreAccessError
from difsims_core.storage.objects import open_store
from flows.doctor.checks import DoctorContext
from flows.doctor.s3 import side_doors
from flows.stack.errors import StackError
from flows.stack.records.credentials import Credentials, keep_credentials
from flows.stack.records.environment import Services
from flows.stack.records.folder import StackFolder, StackState
from flows.stack.records.options import UpOptions
from flows.stack.services.health import Deadline
from flows.stack.services.ports import choose_ports
from flows.stack.services.programs import s3_program
from flows.stack.services.seaweedfs import make_keys, open_doors, refuse_open_doors
from flows.stack.supervision.supervisor import ProgramState, Supervisor
from flows.stack.up import Plan, Stack

START_SECONDS = 60
REQUESTS = [
    ("filer.port", "GET", "/buckets/difsims/models/secret"),
    ("filer.port", "GET", "/?pretty=y"),
    ("filer.port", "PUT", "/buckets/difsims/evil"),
    ("filer.port", "POST", "/buckets/difsims/evil"),
    ("filer.port", "DELETE", "/buckets/difsims/models/secret"),
    ("filer.port", "POST", "/.tus/buckets/difsims/evil"),
    ("filer.port", "OPTIONS", "/buckets/difsims/evil"),
    ("master.port", "GET", "/dir/assign"),
    ("master.port", "GET", "/dir/status"),
    ("master.port", "GET", "/dir/lookup?volumeId=1"),
    ("master.port", "GET", "/vol/grow?count=1"),
    ("master.port", "GET", "/col/delete?collection=difsims"),
    ("master.port", "GET", "/cluster/status"),
    ("master.port", "POST", "/submit"),
    ("volume.port", "GET", "/status"),
    ("volume.port", "GET", "/1,01637037d6"),
    ("volume.port", "POST", "/1,01637037d6"),
    ("volume.port", "DELETE", "/1,01637037d6"),
    ("volume.port", "OPTIONS", "/1,01637037d6"),
    ("admin.port", "GET", "/health"),
    ("admin.port", "POST", "/api/users"),
]


@dataclass(frozen=True)
class Running:
    """SeaweedFS as the stack calls it."""

    folder: StackFolder
    ports: dict[str, int]
    credentials: Credentials
    process: subprocess.Popen[bytes]

    @property
    def services(self) -> Services:
        return Services(self.credentials, s3_port=self.ports["s3"], prefect_port=1)

    def listening(self) -> set[int]:
        found = psutil.Process(self.process.pid).net_connections("tcp")
        return {item.laddr.port for item in found if item.status == "LISTEN"}


@contextmanager
def seaweedfs(root, *, closed: bool) -> Iterator[Running]:
    folder = StackFolder(root)
    folder.prepare()
    credentials = keep_credentials(folder, auth=None)
    if closed:
        make_keys(folder.keys)
    ports = choose_ports({}, {}, ("s3",))
    with (folder.logs / "s3.log").open("wb") as log:
        process = subprocess.Popen(
            s3_program(folder, ports).command, stdout=log, stderr=log, cwd=folder.scratch, umask=0o077
        )
    found = Running(folder, ports, credentials, process)
    try:
        deadline = time.monotonic() + START_SECONDS
        while "running and ready" not in (folder.logs / "s3.log").read_text(errors="replace"):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield found
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def closed(tmp_path_factory) -> Iterator[Running]:
    with seaweedfs(tmp_path_factory.mktemp("closed"), closed=True) as found:
        yield found


@pytest.fixture(scope="module")
def opened(tmp_path_factory) -> Iterator[Running]:
    """The same without its keys, to see that the trials would notice."""
    with seaweedfs(tmp_path_factory.mktemp("open"), closed=False) as found:
        yield found


@pytest.fixture
def store(closed, monkeypatch):
    for name, value in closed.services.variables().items():
        monkeypatch.setenv(name, value)
    found = open_store("s3://difsims")
    found.write("models/secret", b"secret")
    return found


def shell(running: Running, config: str, command: str) -> str:
    """Return what SeaweedFS's own shell answers; without keys it tries again until it is ended."""
    weed = s3_program(running.folder, running.ports).command[0]
    addresses = [f"-{part}=127.0.0.1:{running.ports[f'{part}.port']}.{running.ports[f'{part}.port.grpc']}"
                 for part in ("master", "filer")]  # fmt: skip
    with subprocess.Popen(
        [weed, f"-config_dir={config}", "shell", *addresses],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=config, env={"HOME": config},
    ) as process:  # fmt: skip
        try:
            return process.communicate(command.encode(), timeout=4)[0].decode()
        except subprocess.TimeoutExpired:
            process.kill()
            return process.communicate()[0].decode()


def test_s3_works_for_its_identities_and_for_nobody_else(closed, store, monkeypatch):
    large = os.urandom(9_000_000)  # in parts
    store.write("large", large)
    assert store.read("large", 5_000_000, 5_000_100) == large[5_000_000:5_000_100]
    assert store.list() == ["large", "models/secret"]
    store.delete("large")
    endpoint = closed.services.endpoint
    for method, path in (("GET", "/"), ("GET", "/difsims/models/secret"), ("PUT", "/difsims/evil")):
        assert httpx.request(method, f"{endpoint}{path}").status_code == 403
    for name, value in closed.services.variables(closed.credentials.reader).items():
        monkeypatch.setenv(name, value)
    assert store.read("models/secret") == b"secret"
    with pytest.raises(StoreAccessError):
        store.write("evil", b"")


def test_every_port_beside_s3_answers_nobody(closed, opened):
    assert len(closed.listening()) >= 10
    assert open_doors(sorted(closed.listening() - {closed.ports["s3"]})) == []
    refuse_open_doors(closed.ports)
    doors = opened.listening() - {opened.ports["s3"]}
    assert set(open_doors(doors)) == doors
    with pytest.raises(StackError, match=r"filer\.port"):
        refuse_open_doors(opened.ports)


@pytest.mark.parametrize(("door", "method", "path"), REQUESTS)
def test_no_request_is_read_without_a_key(closed, store, door, method, path):
    address = f"127.0.0.1:{closed.ports[door]}{path}"
    headers = {"Origin": "https://elsewhere.example", "Content-Type": "text/plain", "Accept": "application/json"}
    with httpx.Client(verify=False, headers=headers, timeout=5) as stranger:  # noqa: S501
        with pytest.raises(httpx.TransportError):
            stranger.request(method, f"https://{address}")
        try:
            answer = stranger.request(method, f"http://{address}")
        except httpx.TransportError:
            pass
        else:
            assert answer.status_code == 400
            assert "HTTPS server" in answer.text
            assert "access-control-allow-origin" not in answer.headers
    assert store.list() == ["models/secret"]
    assert store.read("models/secret") == b"secret"


def test_seaweedfs_own_tools_get_nothing_without_the_keys(closed, store, tmp_path):
    found = shell(closed, str(closed.folder.keys), "fs.ls /buckets/difsims/models\nvolume.list\n")
    assert "secret" in found
    assert "DataNode" in found
    commands = "fs.ls /buckets/difsims/models\nfs.rm /buckets/difsims/models/secret\ns3.configure\nvolume.list\n"
    found = shell(closed, str(tmp_path), commands)
    assert not [word for word in ("secret", "identities", "admin", "DataNode") if word in found]
    assert store.read("models/secret") == b"secret"


def test_keys_are_private_and_on_no_command_line(closed):
    files = sorted(closed.folder.keys.iterdir())
    assert [path.name for path in files] == ["ca.pem", "cert.pem", "key.pem", "security.toml"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    key = (closed.folder.keys / "key.pem").read_text().splitlines()[1]
    assert key not in " ".join(psutil.Process(closed.process.pid).cmdline())


def test_each_start_has_keys_of_its_own(closed, tmp_path):
    tmp_path.chmod(0o700)
    make_keys(tmp_path)
    assert (tmp_path / "ca.pem").read_text() != (closed.folder.keys / "ca.pem").read_text()


def test_what_seaweedfs_writes_is_for_its_owner_alone(closed):
    found = [path for path in closed.folder.objects.rglob("*") if path.lstat().st_mode & 0o077]
    assert [path for path in found if path.suffix != ".vif"] == []  # it sets the mode of these itself: no data
    assert not [path for path in closed.folder.sockets.iterdir() if path.lstat().st_mode & 0o077]


def test_the_doctor_sees_an_open_side_door(closed, opened, monkeypatch):
    for running, status in ((closed, "ok"), (opened, "fail")):
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.services.endpoint or "")
        monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
        answer = side_doors(DoctorContext("s3://difsims"))
        assert answer is not None
        assert answer.status == status
        assert (str(running.ports["filer.port"]) in answer.found) == (status == "fail")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert side_doors(DoctorContext("s3://difsims")) is None


@pytest.mark.parametrize("asks", [True, False])
def test_tls_alone_closes_no_door(tmp_path, asks):
    make_keys(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tmp_path / "ca.pem"))
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    context.verify_mode = ssl.CERT_REQUIRED if asks else ssl.CERT_NONE
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):  # the end of the test
                while True:
                    with suppress(ssl.SSLError), context.wrap_socket(server.accept()[0], server_side=True) as stranger:
                        stranger.recv(256)
                        stranger.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

        Thread(target=serve, daemon=True).start()
        port = server.getsockname()[1]
        assert open_doors([port]) == ([] if asks else [port])


@pytest.mark.parametrize("kind", ["closed", "opened"])
def test_up_takes_over_no_seaweedfs_that_answers_strangers(kind, request, monkeypatch):
    running = request.getfixturevalue(kind)
    for name, value in running.services.variables().items():
        monkeypatch.setenv(name, value)
    state = ProgramState("s3", "RUNNING", running.process.pid, "")
    monkeypatch.setattr(Supervisor, "start_program", lambda _self, _name: None)
    monkeypatch.setattr(Supervisor, "states", lambda _self: {"s3": state})
    told: list[str] = []
    stack = Stack(UpOptions(running.folder.root), told.append)
    plan = Plan(StackState(ports=running.ports), running.services, [], adopted=True)
    with nullcontext() if kind == "closed" else pytest.raises(StackError, match=r"\.port"):
        stack.start_s3(plan, Deadline(START_SECONDS, Event()))
    assert told == ([f"SeaweedFS is ready at {running.services.endpoint}"] if kind == "closed" else [])
