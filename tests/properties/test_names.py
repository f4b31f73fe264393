"""Whatever a file is called: its URL leads back to it, no two share one, and nothing leaves the root of a store."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from difsims_core.errors import InputError
from difsims_core.storage import layout
from difsims_core.storage.names import (
    as_written,
    check_key,
    check_name,
    child_url,
    file_name,
    join_url,
    object_name,
    parent_url,
    split_url,
    url_name,
)
from difsims_core.storage.npz.contracts import experiment_name, predicted_name
from difsims_core.storage.objects import expand_urls, locate, open_store, read_url
from difsims_core.storage.s3.objects import S3Objects

CNN = "cnn-00000000-0000-4000-8000-000000000000"
ODD = [
    "..%2F..%2F..%2Fx", "a%20b", "a b", "a+b", "a%2520b", "%", "%%41", "#", "?", "a?versionId=1", "a&b=c;d", "~",
    "~root", "back\\slash", "new\nline", "end\n", " ", " a ", "[a]", "*", "**", "{a}", "…", "é", "e\u0301", "\u202f",
    "\u202e", "\udcff", "file:", "s3:", "x" * 255, "y" * 160, "y" * 161, f"a~{'0' * 64}", "...", "..a", "-rf",
    "'\"", "@", ":",
]  # fmt: skip
NAMES = st.one_of(
    st.sampled_from(ODD),
    st.lists(st.sampled_from([*"./%25FCab~#?\\ é\n"]), max_size=12).map("".join),
    st.binary(min_size=1, max_size=255).map(os.fsdecode),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=85),
).filter(lambda name: name not in {"", ".", ".."} and not {"/", "\0"} & set(name) and len(os.fsencode(name)) <= 255)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(PATHS)
def test_a_file_and_its_url_are_the_same(path):
    url = join_url("file", path)
    assert split_url(url) == ("file", path)
    assert split_url(path) == ("file", path), "a plain path is never decoded"
    assert url.isascii()
    assert url.isprintable()
    assert split_url(as_written(url)) == ("file", path)
    assert Path(path).as_uri() == url


@given(PATHS, PATHS)
@example("/a b", "/a%20b")
@example("/a/b", "/a%2Fb")
def test_two_files_have_two_urls(first, second):
    assert (join_url("file", first) == join_url("file", second)) == (first == second)


@given(PATHS)
def test_an_object_and_its_url_are_the_same(path):
    assert split_url(join_url("s3", f"bucket{path}")) == ("s3", f"bucket{path}")


@given(st.sampled_from(["file:///data/st%20ore", "/data/st%20ore", "s3://bucket/a b"]), NAMES)
def test_a_file_lies_in_its_folder(folder, name):
    url = child_url(folder, name)
    assert file_name(url) == name
    assert split_url(parent_url(url)) == split_url(folder)


@given(NAMES, NAMES)
@example("back\\slash", "back_slash")
@example("x" * 255, "x" * 254)
def test_two_files_have_two_names(first, second):
    assert (object_name(first) == object_name(second)) == (first == second)
    digested = object_name("\n")
    assert object_name(digested) != digested


@given(NAMES)
def test_a_name_is_a_part_of_keys_and_itself_where_it_can_be(name):
    found = object_name(name)
    assert check_name(found) == found
    assert all(check_key(key) for key in (layout.evaluation(CNN, found), layout.figure(CNN, f"{found}-phase-map.png")))
    if name.isascii() and name.isprintable() and "\\" not in name and "?v" not in name and "~" not in name:
        assert found == name or len(name) > 160


@given(NAMES.filter(lambda name: len(os.fsencode(name)) <= 251), st.sampled_from(["", "_radial_crop"]))
def test_a_prediction_tells_the_name_of_its_experiment(stem, more):
    name = experiment_name(join_url("file", f"/scans/{stem}{more}.npz"))
    for root in ("file:///st%20ore", "s3://bucket/st%20ore"):
        assert predicted_name(open_store(root).url(layout.prediction(CNN, name))) == name


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(root=PATHS.filter(lambda path: len(os.fsencode(path)) < 600), name=NAMES, other=NAMES)
def test_nothing_is_written_or_read_outside_the_root(root, name, other):
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(f"{folder}/outer{root}")
        for store in (open_store(inside), open_store(inside.as_uri())):
            keys = {key for scan in (name, other) if (key := _key(scan)) is not None}
            for key in keys:
                store.write(key, key.encode())
                assert read_url(store.url(key)) == key.encode() == read_url(as_written(store.url(key)))
                assert store.key_of(store.url(key)) == key
                above, last = locate(store.url(key))
                assert above.read(last) == key.encode()
                assert expand_urls(store.url(key)) == [as_written(store.url(key))]
            assert set(store.list()) == keys == {info.key for info in store.describe()}
        written = {os.path.join(place, file) for place, _, files in os.walk(folder) for file in files}  # noqa: PTH118
        assert written == {f"{inside}/{key}" for key in keys}


def _key(name: str) -> str | None:
    """Return the key of a file that somebody puts into a store, None where the store refuses it."""
    try:
        return check_key(f"experiments/{name}")
    except InputError:
        return layout.prediction(CNN, object_name(name))


@pytest.mark.parametrize(
    "bad", ["file:///a/..%2F..%2Fetc", "file:///a%2fb", "file:///a%00b", "/a\0b", "/\ud800", "file:///\ud800"]
)
def test_what_no_file_can_be_called_is_refused(bad):
    with pytest.raises(InputError, match=r"hold|stand"):
        split_url(bad)


@pytest.mark.parametrize("bad", ["", ".", "..", "a/b"])
def test_what_is_no_name_is_refused(bad):
    with pytest.raises(InputError):
        object_name(bad)
    with pytest.raises(InputError):
        child_url("/scans", bad)


@pytest.mark.parametrize(
    "bad", ["bucket/../other", "bucket/a//b", "bucket/./a", "bucket/a\nb", "bucket/a\\b", "bucket\n"]
)
def test_a_prefix_that_leads_elsewhere_is_no_store(bad):
    with pytest.raises(InputError):
        S3Objects().check_root(bad)
    with pytest.raises(InputError):
        open_store(f"s3://{bad}")


def test_plain_paths_are_taken_letter_by_letter(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/of-me")
    for text, path in {
        "st%20ore": f"{tmp_path}/st%20ore", "./~/x": f"{tmp_path}/~/x", "~nobody": f"{tmp_path}/~nobody",
        "~/x": "/home/of-me/x", "~": "/home/of-me", "a#b?c": f"{tmp_path}/a#b?c", "//a//b": "/a/b",
    }.items():  # fmt: skip
        assert split_url(text) == ("file", path)
    assert url_name("file:///a%20b.npz") == "a b.npz"
    assert url_name("/a%20b.npz") == "a%20b.npz"
