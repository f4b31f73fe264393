"""Local copies of objects: of the version that is there, whole, within a limit, never taken from whoever reads them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from difsims_core.errors import InputError, MissingObjectError, StoreFullError
from difsims_core.storage.backend import BACKENDS
from difsims_core.storage.kept_copies import FOLDER, LIMIT, kept_copy
from tests.counting_store import COUNTING

ROOT = "counted://bucket/raw"


def beside(name, others):
    return [other for other in others if other == f"{name}.hdr"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path / "cache"))
    monkeypatch.setenv(LIMIT, "1e-6")  # 1000 bytes
    COUNTING.objects.clear()
    COUNTING.requests.clear()
    return tmp_path / "cache"


def put(name, data):
    COUNTING.objects[f"bucket/raw/{name}"] = data


def entries(cache):
    return {item.name for folder in cache.iterdir() for item in folder.iterdir()}


def test_object_is_fetched_once_with_what_belongs_to_it(cache):
    put("a", b"frames")
    put("a.hdr", b"text")
    put("b", b"another")
    for _ in range(3):
        copy = kept_copy(f"{ROOT}/a", beside)
        assert copy.path.read_bytes() == b"frames"
        assert copy.path.with_name("a.hdr").read_bytes() == b"text"
        copy.release()
    assert COUNTING.requests == {"bucket/raw/a": 1, "bucket/raw/a.hdr": 1}
    assert entries(cache) == {"a", "a.hdr"}
    assert cache.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("changed", ["a", "a.hdr"])
def test_new_version_is_fetched_anew(cache, changed):
    put("a", b"frames")
    put("a.hdr", b"text")
    kept_copy(f"{ROOT}/a", beside).release()
    put(changed, b"other!")
    assert kept_copy(f"{ROOT}/a", beside).path.with_name(changed).read_bytes() == b"other!"


def test_missing_object():
    put("b", b"another")
    with pytest.raises(MissingObjectError, match="counted://bucket/raw/a: no such object"):
        kept_copy(f"{ROOT}/a", beside)


def test_longest_unused_goes_first(cache):
    for age, name in enumerate("abc"):
        put(name, name.encode() * 300)
        copy = kept_copy(f"{ROOT}/{name}", beside)
        os.utime(copy.path.parent, ns=(age, age))
        copy.release()
    kept_copy(f"{ROOT}/a", beside).release()  # used again
    put("d", b"d" * 300)
    kept_copy(f"{ROOT}/d", beside).release()
    assert entries(cache) == {"a", "c", "d"}


def test_what_is_read_is_not_removed(cache):
    put("a", b"a" * 600)
    put("b", b"b" * 600)
    reading = kept_copy(f"{ROOT}/a", beside)
    with pytest.raises(StoreFullError, match="all that is kept is in use"):
        kept_copy(f"{ROOT}/b", beside)
    assert reading.path.read_bytes() == b"a" * 600
    reading.release()
    kept_copy(f"{ROOT}/b", beside)
    assert entries(cache) == {"b"}


def test_larger_than_the_limit_is_refused_before_it_is_fetched():
    put("a", b"a" * 1001)
    with pytest.raises(StoreFullError, match=r"has 1,001 bytes .*, local copies may take 1,000; set DIFSIMS_CACHE_GB"):
        kept_copy(f"{ROOT}/a", beside)
    assert not COUNTING.requests


@pytest.mark.parametrize("value", ["0", "-1", "many", "inf", "nan"])
def test_limit_that_is_none_is_refused(monkeypatch, value):
    monkeypatch.setenv(LIMIT, value)
    put("a", b"a")
    with pytest.raises(InputError, match="DIFSIMS_CACHE_GB="):
        kept_copy(f"{ROOT}/a", beside)


def test_object_that_changes_while_it_is_copied_is_refused(cache, monkeypatch):
    put("a", b"first")
    download = COUNTING.download

    def slow(path, local):
        download(path, local)
        put("a", b"later")

    monkeypatch.setattr(BACKENDS["counted"], "download", slow)
    with pytest.raises(InputError, match="changed while it was copied"):
        kept_copy(f"{ROOT}/a", beside)
    assert entries(cache) == set()
    monkeypatch.undo()


def test_killed_fetch_leaves_nothing_that_is_taken_for_whole(cache, monkeypatch):
    put("a", b"frames")

    def killed(path, local):
        local.write_bytes(b"fra")
        raise KeyboardInterrupt

    monkeypatch.setattr(BACKENDS["counted"], "download", killed)
    with pytest.raises(KeyboardInterrupt):
        kept_copy(f"{ROOT}/a", beside)
    monkeypatch.delattr(BACKENDS["counted"], "download")
    assert kept_copy(f"{ROOT}/a", beside).path.read_bytes() == b"frames"


def test_copy_that_another_process_reads_stays(cache):
    put("a", b"a" * 600)
    copy = kept_copy(f"{ROOT}/a", beside)
    code = (
        "import fcntl, os, sys\n"
        f"lock = os.open({str(copy.path.parent)!r}, os.O_RDONLY)\n"
        "fcntl.flock(lock, fcntl.LOCK_SH)\n"
        "print('reading', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "reading\n"
        copy.release()
        put("b", b"b" * 600)
        with pytest.raises(StoreFullError):
            kept_copy(f"{ROOT}/b", beside)
        other.communicate("")
    kept_copy(f"{ROOT}/b", beside)
