"""Stores in which others have left links, pipes, folders in the place of files, and halves of what they wrote."""

import hashlib
import logging
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from difsims_core.errors import InputError, MissingObjectError, StoreAccessError, StoreError
from difsims_core.storage import temporary_files
from difsims_core.storage.objects import expand_urls, open_store
from difsims_core.storage.temporary_files import clear_abandoned, temporary_folder, unique_name

HOUR, WEEK = 3600, 7 * 24 * 3600


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(folder):
    found = open_store(folder)
    for key in ("models/a/x", "models/b/y"):
        found.write(key, b"kept")
    return found


@pytest.fixture
def outside(tmp_path) -> Path:
    found = tmp_path / "outside"
    found.mkdir()
    (found / "secret").write_bytes(b"secret")
    return found


@pytest.fixture
def planted(folder, store, outside):
    """Links of every kind, and a pipe."""
    (folder / "models" / "loop").symlink_to("loop")
    (folder / "models" / "a" / "up").symlink_to("..", target_is_directory=True)
    (folder / "models" / "away").symlink_to(outside, target_is_directory=True)
    (folder / "models" / "a" / "secret").symlink_to(outside / "secret")
    os.mkfifo(folder / "models" / "pipe")
    return store


def test_listings_pass_over_links_and_pipes_and_say_so_once(planted, caplog):
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert planted.list() == ["models/a/x", "models/b/y"]
            assert [info.key for info in planted.describe()] == ["models/a/x", "models/b/y"]
    assert planted.folders("models") == ["a", "b"]
    assert planted.tree_bytes() == 8
    assert len({record.message for record in caplog.records}) == len(caplog.records) == 4


@pytest.mark.parametrize("key", ["models/away/secret", "models/a/secret", "models/a/up/away/secret", "models/away/new"])
def test_nothing_is_read_or_written_through_a_link_that_leads_out(planted, outside, key):
    for call in (
        lambda: planted.read(key),
        lambda: planted.write(key, b"evil"),
        lambda: planted.create(key, b"evil"),
        lambda: planted.delete(key),
        lambda: planted.exists(key),
        lambda: planted.delete_tree("models/away"),
        lambda: planted.list("models/away"),
    ):
        with pytest.raises(StoreAccessError, match="models/a"):
            call()
    assert [item.name for item in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_bytes() == b"secret"


def test_what_cannot_be_read_is_an_error_of_ours_and_keeps_nobody_waiting(planted):
    for key in ("models/loop", "models/pipe"):
        with pytest.raises(StoreError, match=key):
            planted.read(key)


def test_a_store_may_itself_be_reached_through_a_link(folder, store, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    other = open_store(tmp_path / "link")
    assert other.list() == store.list()
    assert other.read("models/a/x") == b"kept"


def test_removing_a_tree_never_follows_a_link(planted, folder, outside):
    planted.delete_tree("models/a")
    assert planted.list() == ["models/b/y"]
    assert (outside / "secret").exists()
    (folder / "models" / "inner").symlink_to("b", target_is_directory=True)
    with pytest.raises(StoreError, match="models/inner"):
        planted.delete_tree("models/inner")
    assert planted.list() == ["models/b/y"]
    planted.delete_tree("models/absent")


def test_a_folder_in_the_place_of_an_object_is_not_an_absent_one(store):
    for call in (
        lambda: store.read("models/a"),
        lambda: store.read_versioned("models/a"),
        lambda: store.write("models/a", b""),
        lambda: store.replace("models/a", b"", "version"),
        lambda: store.delete("models/a"),
    ):
        with pytest.raises(StoreError, match="models/a: ") as caught:
            call()
        assert not isinstance(caught.value, MissingObjectError)
    assert not store.create("models/a", b"")
    assert store.list() == ["models/a/x", "models/b/y"]


def test_a_file_in_the_place_of_a_folder_is_an_error_of_ours(store):
    with pytest.raises(StoreError, match="models/a/x/z"):
        store.write("models/a/x/z", b"")
    assert store.list("models/a/x") == store.folders("models/a/x") == []
    store.delete_tree("models/a/x")
    assert store.read("models/a/x") == b"kept"


def test_a_folder_that_may_not_be_read_is_not_an_empty_one(store, monkeypatch):
    def refuse(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    for call in (store.list, store.describe, store.folders):
        with pytest.raises(StoreAccessError, match=store.root.removeprefix("file://")):
            call()


def _age(path: Path, seconds: float) -> None:
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


def _left(folder: Path, name: str, age: float) -> Path:
    path = folder / name
    path.write_bytes(b"half")
    _age(path, age)
    return path


def _dead() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_halves_of_killed_writers_go_with_the_next_write(store, folder):
    here = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
    place, hexadecimal, dead = folder / "models" / "a", "0" * 32, _dead()
    gone = [
        _left(place, f".{here}-{dead}-{hexadecimal}.partial", 2 * HOUR),
        _left(place, f".00000000-1-{hexadecimal}.partial", WEEK + HOUR),
    ]
    kept = [
        _left(place, f".{here}-{dead}-{'1' * 32}.partial", HOUR / 2),
        _left(place, f".{unique_name()}.partial", 2 * WEEK),
        _left(place, f".00000000-1-{'1' * 32}.partial", WEEK - HOUR),
        _left(place, "somebody's.partial", 2 * WEEK),
    ]
    clear_abandoned.cache_clear()
    store.write("models/a/z", b"")
    assert not [path for path in gone if path.exists()]
    assert [path for path in kept if not path.exists()] == []
    assert store.list("models/a") == ["models/a/x", "models/a/z"]


def test_copies_of_killed_processes_go_when_the_next_one_makes_its_own(tmp_path, monkeypatch, outside):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(temporary_files.tempfile, "tempdir", None)
    code = (
        "import os, signal\n"
        "from difsims_core.storage.temporary_files import temporary_folder\n"
        "with temporary_folder() as folder:\n"
        "    (folder / 'object').write_bytes(b'large')\n"
        "    print(folder, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    left = Path(killed.stdout.strip())
    assert (left / "object").exists()
    assert left.parent == tmp_path
    (left / "away").symlink_to(outside)
    clear_abandoned.cache_clear()
    with temporary_folder() as mine:
        assert mine.stat().st_mode & 0o777 == 0o700
        assert left.exists()  # too young: its machine could be another one of the same name
    _age(left, 2 * HOUR)
    clear_abandoned.cache_clear()
    with temporary_folder() as mine:
        assert not left.exists()
        assert mine.exists()
    assert not mine.exists()
    assert (outside / "secret").exists()
    monkeypatch.setattr(temporary_files.tempfile, "tempdir", None)


def test_patterns_of_many_stars_and_folders_that_lead_in_circles_end(tmp_path):
    deep = tmp_path.joinpath(*"abcdefghijklmnopqrstuvwx")
    deep.mkdir(parents=True)
    for name in ("one", "two"):
        (tmp_path / "a" / name).symlink_to("..", target_is_directory=True)
    (deep / "scan.npz").write_bytes(b"")
    assert expand_urls(f"{tmp_path}/{'**/' * 11}*.npz") == [str(deep / "scan.npz")]
    with pytest.raises(InputError, match=r"\.none"):
        expand_urls(f"{tmp_path}/{'**/*/' * 11}*.none")
    assert expand_urls(f"{tmp_path}/a/**/x/*.npz") == expand_urls(f"{tmp_path}/**/scan.npz") == [str(deep / "scan.npz")]
