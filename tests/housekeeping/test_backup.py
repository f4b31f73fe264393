"""Copies of the records of a store: whole, checked, and never over what is newer."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from difsims_core.errors import ChampionChangedError, CorruptDataError, InputError, MissingObjectError, StoreError
from difsims_core.housekeeping.backup import MANIFEST, backup, restore
from difsims_core.learn.weights import WEIGHTS
from difsims_core.models.registry import promote, read_registry
from difsims_core.storage import layout
from difsims_core.storage.names import split_url
from difsims_core.storage.objects import ObjectStore, open_store
from tests.small_stores import contents, fingerprint, put_dataset, put_model, rewrite

REGISTRY = layout.model_registry()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups" / "monday"


def filled(store: ObjectStore) -> tuple[str, str]:
    """Fill a store and return its dataset and its champion."""
    data = put_dataset(store)
    model = put_model(store, datasets=[data], scans=["roi_1"])
    store.write_record(layout.INTAKE, {"format": 3, "attempts": []})
    crown(store, model)
    return data, model


def crown(store: ObjectStore, model: str) -> None:
    promote(store, read_registry(store), model, why="w", scores={}, by="hand")


def documents(data: str, model: str) -> set[str]:
    return {
        REGISTRY,
        layout.INTAKE,
        layout.simulation_index(fingerprint(data)),
        layout.model_index(fingerprint(model)),
        f"{layout.model(model)}/bundle.json",
    }


def step_back(store: ObjectStore) -> None:
    """Make the registry of a store one that was written before."""
    rewrite(store, REGISTRY, serial=store.read_record(REGISTRY)["serial"] - 1, written="2026-01-01T00:00:00+00:00")


def test_what_is_lost_comes_back(store, folder):
    data, model = filled(store)
    before = contents(store)
    made = backup(store, folder)
    assert set(made.documents) == documents(data, model)
    assert made.size == sum(len(before[key]) for key in made.documents)
    assert made.damaged == ()
    assert set(open_store(folder).list()) == {*made.documents, MANIFEST}
    for key in (*made.documents, layout.champion_note(model)):
        store.delete(key)
    done = restore(store, folder)
    assert (set(done.written), done.same, done.left) == (set(made.documents), (), {})
    assert contents(store) == before
    assert restore(store, folder).written == ()
    assert set(restore(store, folder).same) == set(made.documents)


@pytest.mark.service
def test_a_backup_in_a_bucket(s3_store_url, files):
    _, model = filled(files)
    backup(files, f"{s3_store_url}/monday")
    files.delete(REGISTRY)
    assert restore(files, f"{s3_store_url}/monday").written == (REGISTRY,)
    assert read_registry(files).champion.model == model


def test_a_backup_has_a_folder_of_its_own(files, folder):
    filled(files)
    backup(files, folder)
    with pytest.raises(InputError, match=str(folder)):
        backup(files, folder)
    for inside in (files.root, f"{files.root}/backups"):
        with pytest.raises(InputError, match=f"^{inside}: "):
            backup(files, inside)


def test_an_empty_store_can_be_copied(files, folder):
    assert backup(files, folder).documents == ()
    assert restore(files, folder).written == ()
    assert contents(files) == {}


@pytest.mark.parametrize("content", [b"{", b'{"format": 1}'])
def test_a_damaged_registry_is_not_copied_over_good_backups(files, folder, content):
    filled(files)
    files.write(REGISTRY, content)
    with pytest.raises(CorruptDataError, match=r"registry.json.*restore"):
        backup(files, folder)
    assert not folder.exists()


def test_other_damaged_records_are_named_and_left_out(files, folder):
    _, model = filled(files)
    key = f"{layout.model(model)}/bundle.json"
    files.write(key, b"{")
    made = backup(files, folder)
    assert made.damaged == (key,)
    assert key not in made.documents


DAMAGE = {
    "changed": lambda file: file.write_bytes(file.read_bytes().replace(b"hand", b"Hand")),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-1]),
    "missing": lambda file: file.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_backup_restores_nothing(files, folder, damage):
    filled(files)
    backup(files, folder)
    for key in files.list():
        files.delete(key)
    DAMAGE[damage](folder / REGISTRY)
    with pytest.raises(CorruptDataError, match=r" 1 of 5 .*models/registry\.json"):
        restore(files, folder, overwrite=True)
    assert files.list() == []


@pytest.mark.parametrize("manifest", [b"{", b"[]", b'{"format": 2}'])
def test_a_manifest_without_its_checksum_is_none(files, folder, manifest):
    filled(files)
    backup(files, folder)
    (folder / MANIFEST).write_bytes(manifest)
    with pytest.raises(CorruptDataError, match=MANIFEST):
        restore(files, folder, overwrite=True)


def listing(key: str) -> dict[str, object]:
    whole = {"format": 2, "store": "s3://lab", "created": "2026-01-01T00:00:00+00:00"}
    return whole | {"documents": {key: {"sha256": "0" * 64, "size": 1}}}


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ({"format": 1}, "format: .* 2, .* 1"),
        ({"format": 2}, r"manifest\.json: "),
        ({"format": 2, "documents": []}, r"manifest\.json: "),
        ({"format": 2, "documents": {"models/registry.json": "sha256"}}, r"manifest\.json: "),
        (listing("../up"), r"\.\./up"),
        (listing("/etc/passwd"), "/etc/passwd"),
        (listing("s3://other/registry.json"), "s3://other"),
        (listing("models/x/bundle.json"), "models/x/bundle"),
        (listing("models/by-fingerprint/x.json"), "by-fingerprint/x"),
        (listing("experiments/raw/a"), "experiments/raw/a"),
    ],
)
def test_a_manifest_that_is_none(files, folder, manifest, words):
    filled(files)
    backup(files, folder)
    open_store(folder).write_record(MANIFEST, manifest)
    before = contents(files)
    with pytest.raises(CorruptDataError, match=words):
        restore(files, folder, overwrite=True)
    assert contents(files) == before


def test_what_is_no_record_is_not_restored(files, folder):
    """Whoever may write to a backup may make a manifest that fits; what it brings is still looked at."""
    _, model = filled(files)
    backup(files, folder)
    place, key = open_store(folder), layout.model_record(model)
    data = b'{"id": "not sealed"}'
    manifest = place.read_record(MANIFEST)
    manifest["documents"][key] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    place.write(key, data)
    place.write_record(MANIFEST, manifest)
    before = contents(files)
    with pytest.raises(CorruptDataError, match=key):
        restore(files, folder, overwrite=True)
    assert contents(files) == before


def test_a_folder_without_a_backup(files, folder):
    with pytest.raises(MissingObjectError, match=MANIFEST):
        restore(files, folder)


def test_a_newer_registry_stays_unless_told_otherwise(store, folder):
    _, old = filled(store)
    backup(store, folder)
    new = put_model(store)
    crown(store, new)
    before = contents(store)
    with pytest.raises(StoreError, match=f"{new}.*--overwrite"):
        restore(store, folder)
    assert contents(store) == before
    assert restore(store, folder, overwrite=True).written == (REGISTRY,)
    assert read_registry(store).champion.model == old


def test_a_name_of_somebody_else_stops_no_copy(files, folder):
    filled(files)
    place = split_url(files.root)[1]
    for key in ("back\\slash.json", "notes.txt"):
        Path(f"{place}/{layout.MODEL_INDEX}/{key}").write_bytes(b"{}")
    made = backup(files, folder)
    assert all("slash" not in key and "notes" not in key for key in made.documents)
    assert restore(files, folder).same == made.documents


def test_an_older_registry_and_a_damaged_one_are_replaced(files, folder):
    _, model = filled(files)
    backup(files, folder)
    good = files.read(REGISTRY)
    step_back(files)
    assert restore(files, folder).written == (REGISTRY,)
    files.write(REGISTRY, b"{half")
    assert restore(files, folder).written == (REGISTRY,)
    assert files.read(REGISTRY) == good
    assert read_registry(files).champion.model == model


def test_a_registry_that_was_begun_anew_is_newer(files, folder):
    """The first was lost, and a model was made champion by hand: its number is low, but it is later."""
    filled(files)
    crown(files, put_model(files))
    backup(files, folder)
    files.delete(REGISTRY)
    crown(files, put_model(files))
    rewrite(files, REGISTRY, written="2100-01-01T00:00:00+00:00")
    with pytest.raises(StoreError, match="--overwrite"):
        restore(files, folder)


def test_other_records_that_differ_stay_unless_told_otherwise(files, folder):
    data, _ = filled(files)
    backup(files, folder)
    index, other = layout.simulation_index(fingerprint(data)), layout.new_simulation_id()
    rewrite(files, index, id=other)
    files.write(layout.INTAKE, b"{half")
    done = restore(files, folder)
    assert done.written == (layout.INTAKE,)
    assert done.left == {index: "the store holds another one, later than the backup perhaps"}
    assert files.read_record(index)["id"] == other
    assert restore(files, folder, overwrite=True).written == (index,)
    assert files.read_record(index)["id"] == data


def test_the_record_of_a_model_that_is_gone_does_not_make_it_look_whole(files, folder):
    _, model = filled(files)
    backup(files, folder)
    key = f"{layout.model(model)}/bundle.json"
    files.delete(key)
    files.write(f"{layout.model(model)}/{WEIGHTS}", b"another one")
    assert "is another one" in restore(files, folder).left[key]
    files.delete_tree(layout.model(model))
    assert "its network is gone" in restore(files, folder, overwrite=True).left[key]
    assert not files.exists(key)


def test_a_registry_that_changes_at_this_moment(files, folder, monkeypatch):
    filled(files)
    backup(files, folder)
    files.delete(REGISTRY)
    monkeypatch.setattr(ObjectStore, "replace", lambda *_: False)
    with pytest.raises(ChampionChangedError, match=REGISTRY):
        restore(files, folder)
