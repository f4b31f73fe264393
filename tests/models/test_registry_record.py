"""The record of the registry: what is damaged or strange is refused, and what is read is written again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difsims_core.errors import CorruptDataError, InputError
from difsims_core.models.registry import (
    read_registry,
    record_decision,
    resolve_model,
    rollback,
)
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store
from tests.effort import examples
from tests.models.test_registry import crown, noted
from tests.small_stores import put_model


def changed(document: dict, path: tuple, value: object) -> dict:
    """Return a document with another value at a path of keys and positions."""
    if not path:
        return value
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[path[0]] = changed(copy[path[0]], path[1:], value) if len(path) > 1 else value
    return copy


DAMAGE = [
    (("format",), 1),
    (("format",), "2"),
    (("serial",), True),
    (("serial",), 0),
    (("serial",), 1.0),
    (("written",), "yesterday"),
    (("written",), ""),
    (("champion",), "cnn"),
    (("champion",), {}),
    (("champion", "model"), "../x"),
    (("champion", "model"), ["cnn"]),
    (("champion", "since"), 2026),
    (("champion", "since"), "0001-01-01T00:00:00+23:59"),
    (("champion", "why"), None),
    (("champion", "by"), "me"),
    (("champion", "by"), []),
    (("champion", "scores"), {"f1": "high"}),
    (("champion", "scores"), {"f1": True}),
    (("champion", "scores"), {"f1": 10**400}),
    (("champion", "scores"), ["f1"]),
    (("champion", "stranger"), 1),
    (("former",), {}),
    (("former",), [1]),
    (("considered", 0, "promoted"), "no"),
    (("considered", 0, "ingredients"), 7),
    (("considered", 0, "when"), None),
    (("stranger",), 1),
]


@pytest.mark.parametrize(("path", "value"), DAMAGE)
def test_what_is_no_registry_says_what_to_restore(files, path, value):
    crown(files, put_model(files), ingredients="a" * 64)
    key = layout.model_registry()
    files.write_record(key, changed(files.read_record(key), path, value))
    for operation in (read_registry, rollback, lambda store: resolve_model(store, "champion")):
        with pytest.raises(CorruptDataError, match=r"registry\.json: .*`difsims re"):
            operation(files)


@pytest.mark.parametrize("key", ["format", "serial", "champion", "former", "considered", "written"])
def test_what_a_registry_lacks_is_not_made_up(files, key):
    crown(files, put_model(files))
    document = files.read_record(layout.model_registry())
    del document[key]
    files.write_record(layout.model_registry(), document)
    with pytest.raises(CorruptDataError, match=rf"registry\.json: .*\b{key}\b"):
        read_registry(files)


@settings(max_examples=examples(60), deadline=None)
@given(data=st.data())
def test_every_changed_bit_of_a_registry_is_noticed(data, tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("registry"))
    crown(store, put_model(store))
    content = bytearray(store.read(layout.model_registry()))
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    store.write(layout.model_registry(), bytes(content))
    with pytest.raises(CorruptDataError):
        read_registry(store)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"format": 2}', b"[" * 100_000])
def test_what_has_no_checksum_is_no_registry(files, content):
    files.write(layout.model_registry(), content)
    with pytest.raises(CorruptDataError, match=r"registry\.json: "):
        read_registry(files)


def test_what_is_read_is_written_again(files):
    """The registry that was read is the registry that is written, apart from its serial number."""
    first, second = put_model(files), put_model(files)
    crown(files, first, why="Å\u2028\n", ingredients="a" * 64)
    crown(files, second, scores={"f1": 1e-300})
    before = read_registry(files)
    after = record_decision(files, noted(1))
    assert (after.champion, after.former) == (before.champion, before.former)
    assert after.considered == (noted(1), *before.considered)
    assert after.serial == before.serial + 1 == 3


def test_a_reason_that_no_record_can_keep_is_refused(files):
    with pytest.raises(InputError, match="surrogate"):
        crown(files, put_model(files), why="half \ud800")
    assert not files.exists(layout.model_registry())
