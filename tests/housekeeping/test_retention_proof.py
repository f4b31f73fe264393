"""Nothing is deleted for want of a record: what is lost, rolled back, misdated or damaged takes nothing with it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from difsims_core.errors import DifsimsError, InputError, RetentionRefusedError, StoreAccessError
from difsims_core.housekeeping.backup import backup, restore
from difsims_core.housekeeping.lineage import read_lineage
from difsims_core.housekeeping.retention import apply_retention, plan_retention
from difsims_core.housekeeping.store_clock import store_time
from difsims_core.models.registry import promote, promote_by_hand, read_registry
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore, open_store
from tests.housekeeping.plans import YESTERDAY, going, plan_for
from tests.small_stores import (
    LONG_AGO,
    contents,
    put_dataset,
    put_model,
    write_registry,
)

REGISTRY = layout.model_registry()
pytestmark = pytest.mark.usefixtures("later_clock")


def crown(store: ObjectStore, model: str) -> None:
    promote(store, read_registry(store), model, why="w", scores={}, by="hand")


def refused(store: ObjectStore, reason: str, **policy) -> None:
    """Check that a deletion is refused, for a reason that names this, and touches nothing."""
    before, plan = contents(store), plan_for(store, **policy)
    assert plan.going
    assert any(reason in objection for objection in plan.objections), plan.objections
    with pytest.raises(RetentionRefusedError):
        apply_retention(store, plan)
    assert contents(store) == before


@pytest.fixture
def champions(store: ObjectStore) -> tuple[str, str]:
    """A champion with its dataset and one that was before, and other models, which may go."""
    first, second = (put_model(store, datasets=[put_dataset(store)], scans=["roi_1"]) for _ in range(2))
    for _ in range(2):
        put_model(store, datasets=[put_dataset(store)])
    crown(store, first)
    crown(store, second)
    return first, second


def test_with_its_registry_the_rest_goes(store, champions):
    plan = plan_for(store)
    assert plan.objections == ()
    assert len(apply_retention(store, plan)) == 4
    assert {*champions} <= read_lineage(store).items.keys()


def test_models_without_a_registry(store, champions):
    store.delete(REGISTRY)
    refused(store, " 4 models")
    store.delete_tree(layout.CHAMPION_NOTES)
    refused(store, " 4 models")


def test_a_folder_in_the_place_of_the_registry(files):
    put_model(files, datasets=[put_dataset(files)])
    files.write(f"{REGISTRY}/a", b"mine")
    before = contents(files)
    with pytest.raises(DifsimsError, match="folder"):
        apply_retention(files, plan_for(files))
    assert contents(files) == before


def test_a_registry_that_may_not_be_read(files, monkeypatch):
    put_model(files)
    write_registry(files, None)

    def read_versioned(self, key):
        raise StoreAccessError(f"{key}: may not be read")

    monkeypatch.setattr(ObjectStore, "read_versioned", read_versioned)
    with pytest.raises(StoreAccessError, match=r"registry\.json"):
        plan_for(files)


def test_an_older_registry_that_came_back(store, champions):
    first, _ = champions
    old = store.read(REGISTRY)
    third = put_model(store, datasets=[put_dataset(store)])
    crown(store, third)
    crown(store, put_model(store))
    store.write(REGISTRY, old)
    refused(store, third)
    crown(store, first)  # a decision on top of it brings nothing back
    refused(store, third)


def test_an_older_registry_that_was_restored(files, champions_here, tmp_path):
    backup(files, tmp_path / "copy")
    third = put_model(files, datasets=[put_dataset(files)])
    crown(files, third)
    crown(files, put_model(files))
    files.delete(REGISTRY)
    restore(files, tmp_path / "copy")
    refused(files, third)
    serial = read_registry(files).serial
    assert any(f"--serial {serial}" in objection for objection in plan_for(files).objections)
    for wrong in (serial + 1, serial - 1, 0):
        refused(files, third, serial=wrong)
    assert plan_for(files, serial=serial).objections == ()
    assert third in {item.id for item in apply_retention(files, plan_for(files, serial=serial))}


@pytest.fixture
def champions_here(files: ObjectStore) -> None:
    for _ in range(2):
        crown(files, put_model(files, datasets=[put_dataset(files)]))


def test_a_model_made_champion_again_or_named_to_be_kept_is_no_objection(files, champions_here):
    old = files.read(REGISTRY)
    third = put_model(files)
    crown(files, third)
    put_model(files)
    files.write(REGISTRY, old)
    refused(files, third)
    assert plan_for(files, keep=(third,)).objections == ()
    promote_by_hand(files, third, why="it was before")
    assert plan_for(files).objections == ()


def test_a_model_that_is_newer_than_the_registry(files):
    champion, newer = put_model(files), put_model(files, created="2020-01-02T00:00:00+00:00")
    write_registry(files, champion)
    assert LONG_AGO < "2020-01-02"
    refused(files, newer)
    assert plan_for(files, serial=1).objections == ()


def test_a_champion_whose_record_is_gone_or_damaged_keeps_everything(files):
    data = put_dataset(files)
    champion = put_model(files, datasets=[data])
    write_registry(files, champion)
    put_dataset(files)
    record = files.read(layout.model_record(champion))
    for damage in (None, record[:-5], b"", b"{}", record.replace(b"sim-", b"xim-")):
        files.delete(layout.model_record(champion))
        if damage is not None:
            files.write(layout.model_record(champion), damage)
        refused(files, champion)
    files.delete_tree(layout.model(champion))
    refused(files, champion)


def test_a_former_champion_without_its_record_keeps_everything_until_it_is_gone(files):
    former, champion = (put_model(files, datasets=[put_dataset(files)]) for _ in range(2))
    write_registry(files, champion, [former])
    record, other = files.read(layout.model_record(former)), put_dataset(files)
    files.write(layout.model_record(former), record.replace(b"sim-", b"xim-"))
    refused(files, former)
    files.delete_tree(layout.simulation(other))
    files.delete(layout.model_record(former))
    refused(files, former)
    assert plan_for(files, keep_former=0).objections == ()
    files.delete_tree(layout.model(former))
    assert plan_for(files).objections == ()


@pytest.mark.parametrize(
    ("going_items", "kept_items", "policy", "objects"),
    [(1, 1, {}, False), (2, 1, {}, True), (2, 1, {"most_percent": 66}, True), (2, 1, {"most_percent": 67}, False)],
)
def test_not_more_than_a_share_goes(files, going_items, kept_items, policy, objects):
    for _ in range(going_items):
        put_dataset(files)
    for _ in range(kept_items):
        put_dataset(files, created=YESTERDAY)
    plan = plan_for(files, **({"most_percent": 50} | policy))
    assert bool(plan.objections) == objects
    if objects:
        refused(files, "2 of 3 ", **({"most_percent": 50} | policy))
        assert "--most-percent 67" in plan.objections[0]
    else:
        assert len(apply_retention(files, plan)) == going_items


def test_bytes_count_as_well_as_items(files):
    large = put_dataset(files)
    files.write(f"{layout.simulation(large)}/1d/x_px/c/1/0", b"x" * 10_000)
    for _ in range(3):
        put_dataset(files, created=YESTERDAY)
    refused(files, " 50 %", most_percent=50)


@pytest.mark.parametrize("percent", [0, -1, 101, float("nan")])
def test_a_share_without_sense_is_refused(files, percent):
    with pytest.raises(InputError, match=rf" 100 %.* {percent}"):
        plan_for(files, most_percent=percent)


def aged(store: ObjectStore, days: int) -> None:
    """Make all objects of a store so many days old."""
    moment = (datetime.now(UTC) - timedelta(days=days)).timestamp()
    for key in store.list():
        os.utime(Path(store.root.removeprefix("file://"), key), (moment, moment))


@pytest.mark.parametrize("year", [2027, 2099, 9999])
def test_a_clock_that_is_not_the_stores(files, year, monkeypatch):
    monkeypatch.undo()
    data = put_dataset(files)
    now = datetime.now(UTC).replace(year=year + (year == datetime.now(UTC).year))
    plan = plan_retention(files, now=now, keep_days=30, keep_former=1, most_percent=100)
    assert going(plan) == {data}
    before = contents(files)
    with pytest.raises(RetentionRefusedError, match=f"{now:%Y-%m-%d}"):
        apply_retention(files, plan)
    assert contents(files) == before, "the probe of the clock is gone too"


def test_with_one_clock_what_is_old_goes(files, monkeypatch):
    monkeypatch.undo()
    data = put_dataset(files)
    aged(files, 60)
    plan = plan_retention(files, now=datetime.now(UTC), keep_days=30, keep_former=1, most_percent=100)
    assert [item.id for item in apply_retention(files, plan)] == [data]


@pytest.mark.service
def test_the_clock_of_a_bucket(s3_store_url):
    store = open_store(s3_store_url)
    assert abs(store_time(store) - datetime.now(UTC)) < timedelta(minutes=5)
    assert store.list() == []
