"""What every place that keeps objects must do, whatever its scheme."""

import pickle
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from difsims_core.errors import CorruptDataError, InputError, MissingObjectError
from difsims_core.storage.names import as_written
from difsims_core.storage.objects import ObjectStore, expand_urls, local_copy, open_store, read_url, write_url
from difsims_core.storage.records import from_record


@pytest.fixture
def store(store_url):
    return open_store(store_url)


def test_what_is_written_is_read(store):
    store.write("a/b.bin", b"0123456789")
    assert store.read("a/b.bin") == b"0123456789"
    store.write("a/b.bin", b"new")
    assert store.read("a/b.bin") == b"new"


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (2, 5, b"234"),
        (7, None, b"789"),
        (-3, None, b"789"),
        (0, 1, b"0"),
        (8, 99, b"89"),
        (10, 12, b""),
        (99, None, b""),
    ],
)
def test_parts_are_read(store, start, stop, expected):
    store.write("part", b"0123456789")
    assert store.read("part", start, stop) == expected


def test_an_empty_object_is_an_object(store):
    store.write("empty", b"")
    assert store.exists("empty")
    assert [store.read("empty", *part) for part in ((), (0, 5), (3, 5), (-3,))] == [b""] * 4


def test_what_is_too_large_for_a_record_is_not_read_as_one(store, monkeypatch):
    for module in ("backend", "objects", "local"):
        monkeypatch.setattr(f"difsims_core.storage.{module}.MOST_SMALL_BYTES", 100)
    store.write_record("small", {"a": 1})
    assert store.read_record("small") == {"a": 1}
    assert from_record(store.read_versioned("small")[0], "") == {"a": 1}
    store.write_record("large", {"a": "1" * 100})
    for use in (store.read_record, store.read_versioned, store.read_small):
        with pytest.raises(CorruptDataError, match=r"/large: .* 100 "):
            use("large")


@pytest.mark.parametrize(
    "operation", [lambda s: s.read("no"), lambda s: s.read_record("no"), lambda s: s.read("no", -1)]
)
def test_what_is_not_there_is_said_to_be_missing(store, operation):
    with pytest.raises(MissingObjectError, match="/no: "):
        operation(store)


def test_create_has_one_winner_and_its_bytes(store):
    assert store.create("once", b"first")
    assert not store.create("once", b"second")
    assert store.read("once") == b"first"


def test_of_racing_creators_one_wins(store):
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda i: store.create("race", b"%d" % i), range(16)))
    assert won.count(True) == 1
    assert store.read("race") == b"%d" % won.index(True)


def test_an_object_is_replaced_only_by_who_has_seen_it_last(store):
    with pytest.raises(MissingObjectError):
        store.read_versioned("k")
    assert not store.replace("k", b"new", "0" * 32)
    assert store.replace("k", b"first", None)
    assert not store.replace("k", b"second", None)
    data, version = store.read_versioned("k")
    assert data == b"first"
    assert store.replace("k", b"second", version)
    assert not store.replace("k", b"third", version)
    assert store.read_versioned("k") == (b"second", store.read_versioned("k")[1])
    assert store.read_versioned("k")[1] != version
    store.delete("k")
    assert not store.replace("k", b"again", version)
    assert store.list() == []


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize("same_bytes", [True, False])
def test_of_sixteen_racing_writers_one_wins(store, begun, same_bytes):
    if begun:
        store.write("race", b"old")
    version = store.read_versioned("race")[1] if begun else None
    data = [b"same" if same_bytes else b"%d" % i for i in range(16)]
    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(lambda item: store.replace("race", item, version), data))
    assert won.count(True) == 1
    assert store.read("race") == data[won.index(True)]
    assert store.list() == ["race"]


COUNT = """
import sys
from difsims_core.storage.objects import open_store
store = open_store(sys.argv[1])
sys.stdin.read(1)
for _ in range(25):
    while True:
        data, version = store.read_versioned("count")
        if store.replace("count", b"%d" % (int(data) + 1), version):
            break
"""


@pytest.mark.slow
def test_no_change_is_lost_between_processes(tmp_path):
    """Of files; on S3 it is the server that decides, whoever asks."""
    store = open_store(tmp_path)
    store.write("count", b"0")
    children = [
        subprocess.Popen([sys.executable, "-c", COUNT, store.root], stdin=subprocess.PIPE, text=True) for _ in range(4)
    ]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda child: child.communicate("x"), children))
    assert [child.returncode for child in children] == [0] * 4
    assert store.read("count") == b"100"


def test_objects_are_described(store):
    store.write("d/b", b"12345")
    store.write("d/a", b"")
    store.write("elsewhere", b"x")
    a, b = store.describe("d")
    assert (a.key, a.size, b.key, b.size) == ("d/a", 0, "d/b", 5)
    assert a.modified.utcoffset() == timedelta(0)
    assert abs(b.modified - datetime.now(UTC)) < timedelta(minutes=5)
    assert b == store.describe("d")[1]
    store.write("d/b", b"54321")
    assert store.describe("d")[1].etag != b.etag
    assert [info.key for info in store.describe()] == ["d/a", "d/b", "elsewhere"]
    assert store.describe("nothing") == []


@pytest.mark.parametrize("seconds", [0, -1, 7 * 24 * 3600 + 1])
def test_a_link_lasts_at_most_a_week(store, seconds):
    with pytest.raises(InputError, match=str(seconds)):
        store.signed_url("k", seconds)


def test_listing_is_recursive_sorted_and_relative(store):
    for key in ("b/2", "b/1", "a", "b/c/d", "bb/x"):
        store.write(key, b"x")
    assert store.list() == ["a", "b/1", "b/2", "b/c/d", "bb/x"]
    assert store.list("b") == ["b/1", "b/2", "b/c/d"]
    assert store.list("nothing") == []
    assert store.folders() == ["b", "bb"]
    assert store.folders("b") == ["c"]
    assert store.folders("nothing") == []


@pytest.mark.slow
def test_more_objects_than_one_listing_request_returns(store):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: store.write(f"many/{i:04d}", b"ab"), range(1100)))
    assert store.list("many") == [f"many/{i:04d}" for i in range(1100)]
    assert store.tree_bytes("many") == 2200
    store.delete_tree("many")
    assert store.list("many") == []


def test_deleting_what_is_not_there_is_no_error(store):
    store.write("x", b"1")
    store.delete("x")
    store.delete("x")
    store.delete_tree("x")
    assert not store.exists("x")


def test_records_keep_text_and_refuse_damage(store):
    store.write_record("r.json", {"Å⁻¹": [1, 2.5, None]})
    assert store.read_record("r.json") == {"Å⁻¹": [1, 2.5, None]}
    for damaged in (b'{"half":', b'{"unsealed": 1}', store.read("r.json").replace(b"2.5", b"2.6")):
        store.write("r.json", damaged)
        with pytest.raises(CorruptDataError, match="checksum"):
            store.read_record("r.json")


def test_files_go_in_and_out(store, tmp_path):
    source, target = tmp_path / "in", tmp_path / "deep" / "out"
    source.write_bytes(b"z" * 100_000)
    store.upload(source, "up/loaded")
    store.download("up/loaded", target)
    assert target.read_bytes() == source.read_bytes()
    with pytest.raises(MissingObjectError):
        store.download("up/nothing", target.with_name("never"))
    assert not target.with_name("never").exists()


def test_a_file_that_fails_while_it_is_filled_never_appears(store):
    with pytest.raises(ZeroDivisionError), store.writing("half") as path:  # noqa: PT012
        path.write_bytes(b"half")
        raise ZeroDivisionError
    assert not store.exists("half")
    assert store.list() == []


@pytest.mark.parametrize("key", ["../up", "/abs", "a/../b", "a//b", "", "a\\b", "a/\n", ".", "x" * 201])
def test_keys_never_leave_the_root(store, key):
    for operation in (store.read, store.exists, store.delete, lambda k: store.write(k, b""), store.delete_tree):
        with pytest.raises(InputError):
            operation(key)


def test_names_with_odd_but_harmless_signs(store):
    for name in ("scan [1]", "naïve ~ %20 + # ü", "a?b*c"):
        store.write(f"odd/{name}", name.encode())
        assert store.read(f"odd/{name}") == name.encode()
        assert f"odd/{name}" in store.list("odd")
        store.delete(f"odd/{name}")
        assert not store.exists(f"odd/{name}")


def test_a_store_travels_as_its_url(store):
    store.write("here", b"1")
    travelled = pickle.loads(pickle.dumps(store))  # noqa: S301
    assert travelled == store
    assert travelled.read("here") == b"1"
    assert repr(store) == f"ObjectStore(root={store.root!r})"
    assert isinstance(travelled, ObjectStore)


def test_single_urls(store):
    url = f"{store.root}/one/file.npz"
    write_url(url, b"abc")
    assert read_url(url) == b"abc"
    assert store.url("one/file.npz") == url
    with local_copy(url) as path:
        assert path.read_bytes() == b"abc"
    with pytest.raises(MissingObjectError), local_copy(f"{store.root}/one/none.npz"):
        pass


def test_what_is_there_under_its_very_name_is_meant_itself(store):
    for key in ("run[1]/a.npz", "run[1]/b.npz", "run1/a.npz", "e/a[1].npz", "e/a1.npz", "e/a%20b.npz", "e/a b.npz"):
        store.write(key, b"")
    plain = as_written(store.root)
    for root in (store.root, plain):
        assert expand_urls(f"{root}/run[1]/*.npz") == [f"{plain}/run[1]/a.npz", f"{plain}/run[1]/b.npz"]
        assert expand_urls(f"{root}/run[1]/") == [f"{plain}/run[1]/a.npz", f"{plain}/run[1]/b.npz"]
        assert expand_urls(f"{root}/e/a[1].npz") == [f"{plain}/e/a[1].npz"]
        assert expand_urls(f"{root}/r[u]n1/*.npz") == [f"{plain}/run1/a.npz"]
    assert expand_urls(f"{plain}/e/a%20b.npz") == [f"{plain}/e/a%20b.npz"]
    urls = [store.url("e/a%20b.npz"), store.url("e/a b.npz")]
    assert expand_urls(urls) == [f"{plain}/e/a%20b.npz", f"{plain}/e/a b.npz"]


def test_globs_and_folders(store):
    for key in ("e/roi_1.npz", "e/roi_2.npz", "e/roi_2.txt", "e/sub/roi_3.npz"):
        store.write(key, b"")

    def found(*patterns):
        prefix = f"{store.root}/".removeprefix("file://")
        return [url.removeprefix(prefix) for url in expand_urls(f"{store.root}/{p}" for p in patterns)]

    assert found("e/*.npz") == ["e/roi_1.npz", "e/roi_2.npz"]
    assert found("e/roi_[2-9].npz") == ["e/roi_2.npz"]
    assert found("e/**/*.npz") == ["e/roi_1.npz", "e/roi_2.npz", "e/sub/roi_3.npz"]
    assert found("e/") == ["e/roi_1.npz", "e/roi_2.npz"]
    assert found("e/roi_2.txt", "e/roi_?.npz", "e/roi_1.npz") == ["e/roi_2.txt", "e/roi_1.npz", "e/roi_2.npz"]
    for pattern in ("e/none.npz", "e/*.h5", "nowhere/"):
        with pytest.raises(InputError, match=re.escape(pattern)):
            found(pattern)
