"""A plan of retention is carried out: what has changed meanwhile, and what is stopped half way."""

from __future__ import annotations

import pytest

from difsims_core.errors import ChampionChangedError, PartlyFailedError
from difsims_core.housekeeping.retention import RetentionPlan, apply_retention
from difsims_core.models.registry import rollback
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore
from tests.housekeeping.plans import YESTERDAY, going, plan_for
from tests.small_stores import (
    contents,
    fingerprint,
    names_in,
    put_dataset,
    put_model,
    put_report,
    rewrite,
    write_registry,
)

pytestmark = pytest.mark.usefixtures("later_clock")


def test_a_registry_that_changes_stops_the_deletion(files):
    models = [put_model(files) for _ in range(3)]
    write_registry(files, models[0], models[1:])
    plan = plan_for(files)
    assert going(plan) == {models[2]}
    rollback(files, models[2])
    before = contents(files)
    with pytest.raises(ChampionChangedError):
        apply_retention(files, plan_with(files, plan, {models[1]}))
    assert contents(files) == before


def plan_with(store: ObjectStore, plan: RetentionPlan, names: set[str]) -> RetentionPlan:
    """Return the present plan with the registry version of an older one."""
    present = plan_for(store)
    assert going(present) == names
    return RetentionPlan(present.going, present.kept, present.policy, plan.registry_version)


def test_what_has_come_to_be_needed_since_the_plan_stays(files):
    data = put_dataset(files)
    plan = plan_for(files)
    assert going(plan) == {data}
    put_model(files, datasets=[data], created=YESTERDAY)
    assert apply_retention(files, plan) == ()
    assert files.exists(layout.completion(data))


def test_an_index_that_names_another_one_by_now_stays(files):
    data, model = put_dataset(files), put_model(files)
    new_data, new_model = layout.new_simulation_id(), layout.new_model_id()
    rewrite(files, layout.simulation_index(fingerprint(data)), id=new_data)
    rewrite(files, layout.model_index(fingerprint(model)), id=new_model)
    write_registry(files, None)
    apply_retention(files, plan_for(files))
    assert names_in(files) == {new_data, new_model}


def test_what_cannot_be_deleted_stops_none_of_its_kind_and_keeps_what_it_descends_from(files, monkeypatch):
    data = put_dataset(files)
    models = [put_model(files, datasets=[data]) for _ in range(3)]
    write_registry(files, None)
    stuck = min(models)
    delete = ObjectStore.delete

    def refusing(self, key):
        if stuck in key:
            raise PermissionError("not yours\nsecond line")
        delete(self, key)

    with monkeypatch.context() as patched:
        patched.setattr(ObjectStore, "delete", refusing)
        with pytest.raises(PartlyFailedError, match=f"1 of 4 .*{stuck}: not yours"):
            apply_retention(files, plan_for(files))
    assert names_in(files) == {stuck, data}
    apply_retention(files, plan_for(files))
    assert names_in(files) == set()


class Stopped(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("steps", range(14))
def test_a_deletion_that_is_stopped_leaves_nothing_that_looks_whole(files, monkeypatch, steps):
    data = put_dataset(files)
    model = put_model(files, datasets=[data], scans=["roi_1"])
    put_report(files, "run-1", model, data)
    write_registry(files, None)
    before = contents(files)
    plan, left = plan_for(files), steps
    delete, delete_tree = ObjectStore.delete, ObjectStore.delete_tree

    def count_down() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Stopped

    def stopping_delete(self, key):
        count_down()
        delete(self, key)

    def stopping_delete_tree(self, prefix):
        keys = self.list(prefix)
        for key in keys[: len(keys) // 2]:
            delete(self, key)
        count_down()
        delete_tree(self, prefix)

    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "delete", stopping_delete)
        patch.setattr(ObjectStore, "delete_tree", stopping_delete_tree)
        try:
            apply_retention(files, plan)
        except Stopped:
            assert contents(files)
    now = contents(files)
    if f"{layout.model(model)}/bundle.json" in now:
        assert {key for key in before if model in key} <= now.keys()
    if layout.completion(data) in now:
        assert {key for key in before if data in key} <= now.keys()
    if layout.report("run-1") in now:
        assert now == before
    apply_retention(files, plan_for(files))
    assert files.list() == [layout.model_registry()]
