"""Whatever descends from what: nothing that a kept result needs is ever to go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from difsims_core.housekeeping.items import Item, Lineage
from difsims_core.housekeeping.retention_plan import RetentionPolicy, decide
from difsims_core.models.registry import Champion, ModelRegistry
from tests.effort import examples

NOW = datetime(2026, 6, 1, tzinfo=UTC)
KEEP_DAYS = 30
DATASETS = [f"sim-{i}" for i in range(6)]
MODELS = [f"cnn-{i}" for i in range(6)]
REPORTS = [f"run-{i}" for i in range(4)]

ages = st.one_of(st.none(), st.integers(-5, 90).map(lambda days: NOW - timedelta(days=days)))
troubles = st.sampled_from(["", "", "", "", "damaged"])


def some(names, most=3):
    return st.frozensets(st.sampled_from(names), max_size=most)


@st.composite
def lineages(draw):
    items = {}
    for name in draw(some(DATASETS, 6)):
        made, touched, trouble = draw(ages), draw(ages), draw(troubles)
        items[name] = Item(
            "dataset", name, 1, made, touched, fingerprint=f"print of {name}" if draw(st.booleans()) else None,
            problem=trouble,
        )  # fmt: skip
    for name in draw(some(MODELS, 6)):
        needs, prints = draw(some(DATASETS)), draw(some([f"print of {data}" for data in DATASETS]))
        items[name] = Item("model", name, 1, draw(ages), draw(ages), needs, prints, f"print of {name}", draw(troubles))
    for name in draw(some(REPORTS, 4)):
        moment = draw(ages)
        items[name] = Item("report", name, 1, moment, moment, draw(some(DATASETS + MODELS)))
    return Lineage(items, draw(some(DATASETS, 1)))


def champion(model: str) -> Champion:
    # the short ids of the drawn lineages are none that a record may hold
    return Champion.model_construct(model=model, since="2026-01-01T00:00:00+00:00", why="w", scores={}, by="hand")


@st.composite
def registries(draw):
    line = [champion(model) for model in draw(st.lists(st.sampled_from(MODELS), max_size=6))]
    return ModelRegistry(line[0] if line else None, tuple(line[1:]), (), 1, "2026-01-01T00:00:00+00:00", "1")


def needed_by(lineage: Lineage, name: str) -> set[str]:
    """Return everything that an item descends from, found the slow way: until nothing new comes."""
    found, size = {name}, 0
    while size != len(found):
        size = len(found)
        for item in lineage.items.values():
            for seen in [lineage.items[one] for one in found if one in lineage.items]:
                if item.id in seen.needs or (item.fingerprint and item.fingerprint in seen.need_fingerprints):
                    found.add(item.id)
    return found - {name}


@settings(max_examples=examples(150), deadline=None)
@given(lineage=lineages(), registry=registries(), former=st.integers(0, 3), data=st.data())
def test_nothing_that_a_kept_result_descends_from_goes(lineage, registry, former, data):
    names = sorted(lineage.items)
    keep = tuple(data.draw(st.frozensets(st.sampled_from(names), max_size=2))) if names else ()
    plan = decide(lineage, registry, RetentionPolicy(NOW, KEEP_DAYS, former, keep))
    lost, kept = {item.id for item in plan.going}, {item.id for item in plan.kept}
    assert lost | kept == set(names)
    assert not lost & kept
    for name in kept:
        assert not needed_by(lineage, name) & lost, name
    distinct = list(dict.fromkeys(item.model for item in registry.former if item.model != registry.champion.model))
    crowned = [registry.champion.model] if registry.champion else []
    for name in {*crowned, *distinct[:former], *keep, *lineage.needed_elsewhere} & set(names):
        assert name in kept
    since = NOW - timedelta(days=KEEP_DAYS)
    for item in lineage.items.values():
        if item.problem or any(moment and moment > since for moment in (item.made, item.touched)):
            assert item.id in kept
    order = [item.kind for item in plan.going]
    assert order == sorted(order, key=["report", "model", "dataset"].index)
    assert all(item.why for item in (*plan.going, *plan.kept))


@settings(max_examples=examples(80), deadline=None)
@given(lineage=lineages(), registry=registries(), former=st.integers(0, 3))
@example(Lineage({"sim-0": Item("dataset", "sim-0", 1, NOW - timedelta(days=31))}), ModelRegistry(), 0)
def test_what_nothing_keeps_does_go(lineage, registry, former):
    """The other side: a plan that keeps everything would pass the first test."""
    plan = decide(lineage, registry, RetentionPolicy(NOW, KEEP_DAYS, former))
    lost = {item.id for item in plan.going}
    since = NOW - timedelta(days=KEEP_DAYS)
    crowned = {item.model for item in (registry.champion, *registry.former) if item}
    roots = {
        item.id
        for item in lineage.items.values()
        if item.problem or any(moment and moment > since for moment in (item.made, item.touched))
    }
    roots |= crowned | lineage.needed_elsewhere
    needed = roots.union(*(needed_by(lineage, name) for name in roots))
    for item in lineage.items.values():
        if item.id not in needed and item.kind != "report":
            assert item.id in lost
        if item.kind == "report" and item.id not in needed:
            assert (item.id in lost) == bool(needed_by(lineage, item.id) & lost & item.needs)
