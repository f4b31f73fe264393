"""Files: whole or not at all, whatever breaks."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from difsims_core.errors import MissingObjectError, StoreAccessError, StoreError, StoreFullError
from difsims_core.storage import local
from difsims_core.storage.objects import open_store


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def _files(store) -> list[str]:
    return [name for _, _, names in os.walk(store.root.removeprefix("file://")) for name in names]


def _fails(code):
    def fsync(descriptor):
        raise OSError(code, os.strerror(code))

    return fsync


@pytest.mark.parametrize("operation", ["write", "create"])
def test_a_full_disk_is_named_and_leaves_the_old_object(store, monkeypatch, operation):
    if operation == "write":
        store.write("k", b"old")
    monkeypatch.setattr(os, "fsync", _fails(errno.ENOSPC))
    with pytest.raises(StoreFullError, match="/k: "):
        getattr(store, operation)("k", b"new")
    monkeypatch.undo()
    assert _files(store) == (["k"] if operation == "write" else [])
    assert store.exists("k") == (operation == "write")


def test_a_full_disk_while_a_file_is_filled(store, monkeypatch):
    with pytest.raises(StoreFullError, match="/big: "), store.writing("big"):
        raise OSError(errno.EDQUOT, "quota")
    assert _files(store) == []


@pytest.mark.skipif(os.geteuid() != 0 or not Path("/bin/mount").exists(), reason="needs to mount a small tmpfs")
def test_a_disk_that_is_really_full(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        store = open_store(disk / "store")
        store.write("fits", os.urandom(500_000))
        with pytest.raises(StoreFullError, match=str(disk)):
            store.write("too/large", os.urandom(2_000_000))
        assert store.list() == ["fits"]
        store.write("fits too", os.urandom(300_000))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize(("code", "kind"), [(errno.EACCES, StoreAccessError), (errno.EROFS, StoreAccessError)])
def test_no_permission_is_no_matter_of_another_try(store, monkeypatch, code, kind):
    monkeypatch.setattr(os, "fsync", _fails(code))
    with pytest.raises(kind, match="permissions"):
        store.write("k", b"")


def test_an_input_output_error_is_worth_another_try(store, monkeypatch):
    monkeypatch.setattr(os, "fsync", _fails(errno.EIO))
    with pytest.raises(StoreError, match="/k: ") as caught:
        store.write("k", b"")
    assert type(caught.value) is StoreError


def test_create_works_where_hard_links_do_not(store, monkeypatch):
    def link(source, target):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", link)
    assert store.create("k", b"1")
    assert not store.create("k", b"2")
    assert store.read("k") == b"1"
    assert _files(store) == ["k"]


def test_a_folder_is_no_object(store):
    store.write("a/b", b"")
    assert not store.exists("a")
    with pytest.raises(MissingObjectError):
        store.read("a/b/c")


def test_a_writer_killed_in_the_middle_leaves_no_object(store):
    code = (
        "import os, signal, sys\n"
        "from difsims_core.storage.objects import open_store\n"
        "os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)\n"
        "open_store(sys.argv[1]).write('k', b'x' * 10**6)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, store.root], check=False)
    assert killed.returncode == -9
    assert len(_files(store)) == 1
    assert _files(store)[0].endswith(".partial")
    assert store.list() == []
    assert not store.exists("k")


def test_a_holder_of_the_lock_that_is_killed_blocks_nobody(store):
    code = (
        "import os, signal, sys\n"
        "from difsims_core.storage.objects import open_store\n"
        "store = open_store(sys.argv[1])\n"
        "version = store.read_versioned('k')[1]\n"
        "os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)\n"
        "store.replace('k', b'theirs', version)\n"
    )
    store.write("k", b"old")
    version = store.read_versioned("k")[1]
    assert subprocess.run([sys.executable, "-c", code, store.root], check=False).returncode == -9
    assert any(name.endswith(local.LOCK) for name in _files(store))
    assert store.replace("k", b"ours", version)
    assert store.read("k") == b"ours"
    assert store.list() == ["k"]


def test_a_lock_that_is_never_given_back_is_named(store, monkeypatch):
    monkeypatch.setattr(local, "LOCK_SECONDS", 0.2)
    store.write("k", b"old")
    version = store.read_versioned("k")[1]
    another = FileLock(f"{store.root.removeprefix('file://')}/.k{local.LOCK}")
    with another, pytest.raises(StoreError, match=r"/k: .* 0\.2 "):
        store.replace("k", b"new", version)
    assert store.read("k") == b"old"


def test_a_file_that_goes_while_a_folder_is_described(store, monkeypatch):
    store.write("a", b"")
    store.write("b", b"")
    entries = local.folder_entries

    def vanish(path):
        found = entries(path)
        Path(path, "a").unlink()
        return found

    monkeypatch.setattr(local, "folder_entries", vanish)
    assert [info.key for info in store.describe()] == ["b"]


def test_files_have_no_links(store):
    store.write("k", b"")
    assert store.signed_url("k", 60) is None


def test_files_are_readable_by_the_group_as_the_umask_says(store):
    old = os.umask(0o022)
    try:
        store.write("k", b"")
    finally:
        os.umask(old)
    assert stat.S_IMODE((Path(store.root.removeprefix("file://")) / "k").stat().st_mode) == 0o644
