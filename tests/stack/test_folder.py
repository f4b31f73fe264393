"""The folder of a stack among other users of the machine: nothing of theirs is used, nothing of ours shown to them."""

from __future__ import annotations

import os
import stat
import sys
import time
from pathlib import Path
from threading import Event

import pytest

from difsims_core.errors import InputError
from difsims_core.private_folders import make_private
from flows.execution.concurrency_limit import slot_folder
from flows.stack.records.credentials import keep_credentials
from flows.stack.records.environment import Services, write_environments
from flows.stack.records.folder import StackFolder, write_private
from flows.stack.records.options import UpOptions
from flows.stack.services.logged import start_logged
from flows.stack.services.programs import Program, s3_program, server_program, worker_program
from flows.stack.supervision.supervisor import Supervisor, configuration
from flows.stack.up import Stack


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "stack"


@pytest.fixture
def folder(root) -> StackFolder:
    found = StackFolder(root)
    found.prepare()
    return found


@pytest.fixture
def long_root(tmp_path) -> Path:
    return tmp_path / ("long" * 40)


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    found = tmp_path / "t"
    found.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(found))
    return found


def belongs_to_another(monkeypatch, path: Path) -> None:
    """Let a folder belong to somebody else; only the system's administrator could really give it away."""
    lstat = Path.lstat

    def foreign(self):
        found = lstat(self)
        return os.stat_result([*found[:4], found.st_uid + 1, *found[5:]]) if self == path else found

    monkeypatch.setattr(Path, "lstat", foreign)


INSIDE = ("", "seaweedfs", "seaweedfs-keys", "prefect", "logs", "scratch", "run")


@pytest.mark.parametrize("name", INSIDE)
@pytest.mark.parametrize("kind", ["link", "foreign", "group", "world"])
def test_a_folder_that_is_not_the_users_own_alone_is_refused(root, name, kind, tmp_path, monkeypatch):
    place = root / name
    place.parent.mkdir(exist_ok=True, mode=0o700)
    if kind == "link":
        (tmp_path / "theirs").mkdir(mode=0o700)
        place.symlink_to(tmp_path / "theirs")
    else:
        place.mkdir(parents=True)
        root.chmod(0o700)
        place.chmod({"foreign": 0o700, "group": 0o770, "world": 0o707}[kind])
    if kind == "foreign":
        belongs_to_another(monkeypatch, place)
    expected = {"link": "found a link", "foreign": "belongs to another user"}.get(kind, "others may write into it")
    with pytest.raises(InputError, match=f"{place}: .*{expected}"):
        StackFolder(root).prepare()


def test_folders_that_others_may_read_are_narrowed(root):
    for name in INSIDE:
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name).chmod(0o755)
    StackFolder(root).prepare()
    assert {mode(root / name) for name in INSIDE} == {0o700}


def test_a_folder_that_is_a_file_is_refused(root):
    root.mkdir(mode=0o700)
    (root / "logs").write_text("")
    with pytest.raises(InputError, match=str(root)):
        StackFolder(root).prepare()


def test_sockets_of_a_long_path_lie_where_nobody_can_wait_for_them(long_root, temporary):
    first, second = StackFolder(long_root), StackFolder(long_root.with_name("more" * 40))
    for found in (first, second):
        found.prepare()
        assert found.sockets.parent == temporary
        assert mode(found.sockets) == 0o700
    assert first.sockets != second.sockets
    kept = first.sockets
    first.prepare()
    assert first.sockets == kept


def test_a_stack_follows_no_link_in_the_place_of_its_folder(tmp_path, monkeypatch):
    """In a folder for all, somebody may have made one that leads to the user's own files."""
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(home)
    ended = Event()
    ended.set()  # should it start all the same, it stops at once
    with pytest.raises(InputError, match="found a link"):
        Stack(UpOptions(tmp_path / "link"), print).run(ended, print)
    assert mode(home) == 0o755
    assert not list(home.iterdir())
    monkeypatch.chdir(home)
    for given, found in {"a": "a", "a/../b": "b", ".": "", "../link/c": "c"}.items():
        assert StackFolder.at(Path(given)).root == home / found


@pytest.mark.parametrize("planted", ["link", "foreign", "writable", "file", "nothing"])
def test_sockets_that_somebody_else_has_made_meanwhile_are_not_used(long_root, temporary, planted, monkeypatch):
    found = StackFolder(long_root)
    found.prepare()
    theirs = found.sockets
    if planted != "foreign":
        theirs.rmdir()
    if planted == "link":
        (temporary / "home").mkdir(mode=0o700)
        theirs.symlink_to(temporary / "home")
    elif planted == "writable":
        theirs.mkdir()
        theirs.chmod(0o777)
    elif planted == "file":
        theirs.write_text("")
    elif planted == "foreign":
        belongs_to_another(monkeypatch, theirs)
    found.prepare()
    assert (found.sockets == theirs) == (planted == "nothing")
    assert mode(found.sockets) == 0o700
    assert found.sockets.is_dir()
    assert not found.sockets.is_symlink()


def test_a_private_file_replaces_a_link_and_leaves_its_target(folder, tmp_path):
    target = tmp_path / "precious"
    target.write_text("mine")
    services = Services(keep_credentials(folder, auth=None), s3_port=1, prefect_port=2)
    files = (folder.credentials, folder.environment, folder.reader_environment, folder.configuration)
    for path in files:
        path.unlink(missing_ok=True)
        path.symlink_to(target)
    write_private(folder.credentials, "{}")
    write_private(folder.configuration, "")
    write_environments(folder, services)
    assert target.read_text() == "mine"
    assert [path.is_symlink() for path in files] == [False] * 4
    assert {mode(path) for path in files} == {0o600}


def test_a_temporary_name_of_a_private_file_cannot_be_taken_before(folder, tmp_path, monkeypatch):
    target = tmp_path / "precious"
    target.write_text("mine")
    monkeypatch.setattr("secrets.token_hex", lambda _n: "0" * 16)
    planted = folder.root / f".environment.{'0' * 16}.half"
    planted.symlink_to(target)
    with pytest.raises(FileExistsError):
        write_private(folder.environment, "secret")
    assert target.read_text() == "mine"


def test_what_killed_writers_of_secrets_left_goes_at_the_next_start(folder, monkeypatch):
    def die(_descriptor):
        raise KeyboardInterrupt

    left = [folder.root / ".credentials.json.0123456789abcdef.half", folder.keys / ".key.pem.0123456789abcdef.half"]
    for path in left:
        path.write_text("secret")
    with folder.locked():
        assert not [path for path in left if path.exists()]
    monkeypatch.setattr(os, "fsync", die)
    with pytest.raises(KeyboardInterrupt):
        write_private(folder.environment, "secret")
    assert not list(folder.root.glob(".*.half"))


def test_slots_of_a_machine_are_not_kept_in_somebody_elses_folder(temporary, monkeypatch):
    found = slot_folder()
    assert mode(found) == 0o700
    belongs_to_another(monkeypatch, found)
    with pytest.raises(InputError, match=str(found)):
        slot_folder()


def test_services_write_for_their_owner_and_flows_as_the_user_wants(folder):
    ports = {"s3": 1, "prefect": 2}
    for program, private in (
        (s3_program(folder, ports), True),
        (server_program(ports), True),
        (worker_program("worker"), False),
    ):
        assert program.private == private
        assert ("umask=077" in configuration(folder, [program])) == private


def test_the_umask_has_effect_under_the_supervisor(folder, monkeypatch):
    started = []

    def start(*arguments, **options):
        started.append(start_logged(*arguments, **options))
        return started[-1]

    monkeypatch.setattr("flows.stack.supervision.supervisor.start_logged", start)
    code = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(''); time.sleep(60)"
    programs = [
        Program(name, (sys.executable, "-c", code, str(folder.scratch / name)), 1, 5, private)
        for name, private in (("services", True), ("flows", False))
    ]
    supervisor = Supervisor(folder)
    before = os.umask(0o027)
    try:
        supervisor.start(programs, os.environ)
        files = [folder.scratch / program.name for program in programs]
        for program in programs:
            supervisor.start_program(program.name)
        deadline = time.monotonic() + 30
        while not all(path.exists() for path in files):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert [mode(path) for path in files] == [0o600, 0o640]
        assert mode(folder.configuration) == 0o600
    finally:
        os.umask(before)
        for process in started:
            process.terminate()
            process.wait(30)


def test_a_private_folder_is_made_with_its_parents(tmp_path):
    make_private(tmp_path / "a" / "b")
    assert mode(tmp_path / "a" / "b") == 0o700
