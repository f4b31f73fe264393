"""Datasets of the earlier form are refused, and brought into today's once everything in them was checked."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from difsims_core.config.documents import make_spec
from difsims_core.dataset.build import begin, finish, write_group
from difsims_core.dataset.convert import convert_dataset
from difsims_core.dataset.open import open_simulation
from difsims_core.dataset.verify import verify
from difsims_core.errors import CorruptDataError, DifsimsError, StoreError
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore, open_store
from tests.earlier_form import make_earlier

SPEC = make_spec({"n_patterns": 1100, "phases": ["pb"]})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A dataset of two blocks of the earlier form: its folder and plan, to be copied."""
    root = tmp_path_factory.mktemp("store")
    store = open_store(root)
    plan = begin(store, SPEC, 1024)
    write_group(store.root, SPEC, plan.id, range(2))
    finish(store, plan)
    today = {key: store.read(key) for key in store.list()}
    make_earlier(store, plan)
    return root, plan, today


@pytest.fixture
def earlier(made, tmp_path):
    root, plan, _ = made
    return open_store(shutil.copytree(root, tmp_path / "store")), plan


def _contents(store):
    return {key: store.read(key) for key in store.list()}


def test_the_earlier_form_is_refused_and_says_what_to_do(earlier):
    store, plan = earlier
    for use in (lambda: open_simulation(plan.id, store), lambda: begin(store, SPEC), lambda: finish(store, plan)):
        with pytest.raises(CorruptDataError, match="difsims convert"):
            use()
    assert "difsims convert" in verify(store, plan.id).failures[0]


def test_it_becomes_what_it_would_be_today(made, earlier):
    store, plan = earlier
    assert convert_dataset(store, plan.id)
    assert _contents(store) == made[2]
    assert verify(store, plan.id, resimulate=1).ok
    assert begin(store, SPEC).complete
    before = _contents(store)
    assert not convert_dataset(store, plan.id)
    assert _contents(store) == before


@pytest.mark.parametrize("writes", range(4))
def test_stopped_at_any_write_it_is_converted_by_the_next_run(made, earlier, monkeypatch, writes):
    store, plan = earlier
    write, done = ObjectStore.write, []

    def stops(self, key, data):
        if len(done) == writes:
            raise StoreError("stopped")
        done.append(key)
        write(self, key, data)

    with monkeypatch.context() as broken:
        broken.setattr(ObjectStore, "write", stops)
        with pytest.raises(StoreError, match="stopped"):
            convert_dataset(store, plan.id)
    with pytest.raises(DifsimsError):
        open_simulation(plan.id, store)
    convert_dataset(store, plan.id)
    assert _contents(store) == made[2]


def _edit(store, key, change):
    document = json.loads(store.read(key))
    change(document)
    store.write(key, json.dumps(document).encode())


def _axis(store, plan):
    from difsims_core.storage.zarr.blosc import Blosc

    key = f"{layout.simulation(plan.id)}/1d/x_px_q_axis/c/0"
    q = np.frombuffer(Blosc().decode(store.read(key)))
    store.write(key, Blosc("zstd", 1, Blosc.BITSHUFFLE, 1 << 20).encode(np.ascontiguousarray(q[::-1])))


def _names(store, plan):
    def change(document):
        copy = document["consolidated_metadata"]["metadata"]["metadata"]
        document["attributes"]["phases"] = copy["attributes"]["phases"] = ["pbi2_2h"]

    _edit(store, f"{layout.simulation(plan.id)}/zarr.json", change)


def _receipt(**values):
    return lambda store, plan: _edit(store, layout.receipt(plan.id, 1), lambda document: document.update(values))


def _completion(**values):
    return lambda store, plan: _edit(store, layout.completion(plan.id), lambda document: document.update(values))


def _rows(store, plan):
    key = f"{layout.simulation(plan.id)}/1d/x_px/c/1/0"
    data = bytearray(store.read(key))
    data[len(data) // 3] ^= 4
    store.write(key, bytes(data))


DAMAGE = {
    "rows": (_rows, "block 1, 1d/x_px"),
    "missing rows": (
        lambda store, plan: store.delete(f"{layout.simulation(plan.id)}/1d/y_px/c/0/0"),
        "block 0, 1d/y_px",
    ),
    "a missing receipt": (
        lambda store, plan: store.delete(layout.receipt(plan.id, 0)),
        "no such|not found|does not exist",
    ),
    "a receipt of other rows": (_receipt(start=0), "not the receipt of block 1"),
    "a receipt of another dataset": (_receipt(fingerprint="0" * 64), "not the receipt of block 1"),
    "a receipt of fewer arrays": (_receipt(checksums={}, shapes={}), "other arrays"),
    "the completion record of another dataset": (_completion(fingerprint="0" * 64), "another dataset's"),
    "the completion record of another folder": (
        _completion(id="sim-00000000-0000-4000-8000-000000000000"),
        "another dataset's",
    ),
    "the completion record of other rows": (_completion(content_sha256="0" * 64), "written for other rows"),
    "a completion record that is none": (
        lambda store, plan: store.write(layout.completion(plan.id), b"[]"),
        "expected",
    ),
    "another axis": (_axis, "is not the axis that its parameters say"),
    "other names": (_names, "phases or n_patterns are not those of its parameters"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_damaged_is_not_converted_and_stays_as_it_is(earlier, name):
    store, plan = earlier
    damage, words = DAMAGE[name]
    damage(store, plan)
    before = _contents(store)
    with pytest.raises(DifsimsError, match=words):
        convert_dataset(store, plan.id)
    assert _contents(store) == before


def test_an_incomplete_dataset_goes_on_after_its_index_was_converted(made, earlier):
    store, plan = earlier
    store.delete(layout.completion(plan.id))
    with pytest.raises(CorruptDataError, match="difsims convert"):
        begin(store, SPEC)
    convert_dataset(store, plan.id)
    assert begin(store, SPEC).id == plan.id
    assert write_group(store.root, SPEC, plan.id, range(2)).written == 2
    finish(store, plan)
    assert verify(store, plan.id).ok
    assert set(_contents(store)) == set(made[2])
