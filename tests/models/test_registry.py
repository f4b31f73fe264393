"""The registry of models: one champion, whoever writes at once, and a way back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difsims_core.errors import ChampionChangedError, InputError, MissingObjectError, StoreError
from difsims_core.models import registry as model_registry
from difsims_core.models.registry import (
    ModelRegistry,
    RecordedDecision,
    promote,
    read_registry,
    record_decision,
    resolve_model,
    rollback,
)
from difsims_core.retrying import Retry
from difsims_core.storage import layout, update
from difsims_core.storage.objects import ObjectStore, open_store
from tests.effort import examples
from tests.small_stores import put_model


def crown(store: ObjectStore, model: str, **options) -> ModelRegistry:
    return promote(store, read_registry(store), model, **({"why": "w", "scores": {"f1": 0.5}, "by": "hand"} | options))


def noted(number: int) -> RecordedDecision:
    return RecordedDecision(
        ingredients=f"{number:064d}", model=None, promoted=False, why="nothing new", when="2026-01-01T00:00:00+00:00"
    )


def test_a_store_without_registry_has_no_champion(store):
    assert read_registry(store) == ModelRegistry()
    with pytest.raises(MissingObjectError, match="`difsims retrain`"):
        resolve_model(store, "champion")


def test_champions_follow_each_other(store):
    first, second = put_model(store), put_model(store)
    crown(store, first, why="the first")
    registry = crown(store, second, why="better", scores={"accuracy": 0.75}, by="retrain", ingredients="a" * 64)
    assert registry == read_registry(store)
    assert (registry.champion.model, registry.champion.why, registry.champion.by) == (second, "better", "retrain")
    assert registry.champion.scores == {"accuracy": 0.75}
    assert [item.model for item in registry.former] == [first]
    (decision,) = registry.considered
    assert (decision.model, decision.promoted, decision.ingredients) == (second, True, "a" * 64)
    assert resolve_model(store, "champion") == second
    assert resolve_model(store, first) == resolve_model(store, first[:16]) == first
    assert resolve_model(store, "s3://elsewhere/model") == "s3://elsewhere/model"


def test_the_champion_again_is_no_change(files):
    model = put_model(files)
    registry = crown(files, model)
    again = crown(files, model, why="another reason")
    assert (again.champion, again.former) == (registry.champion, ())


def test_of_two_promotions_at_once_one_wins(store):
    models = [put_model(store) for _ in range(2)]
    seen = read_registry(store)

    def attempt(model):
        try:
            return promote(store, seen, model, why="w", scores={}, by="retrain").champion.model
        except ChampionChangedError as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(attempt, models))
    (lost,) = [item for item in results if isinstance(item, ChampionChangedError)]
    registry = read_registry(store)
    assert [model in str(lost) for model in models] == [model != registry.champion.model for model in models]
    assert registry.champion.model in models
    assert registry.former == ()


def test_a_promotion_on_what_was_read_before_another_one_is_refused(files):
    first, second = put_model(files), put_model(files)
    old = crown(files, first)
    crown(files, second)
    with pytest.raises(ChampionChangedError, match=first):
        promote(files, old, first, why="late", scores={}, by="retrain")
    assert read_registry(files).champion.model == second


@pytest.mark.parametrize("scores", [{"f1": float("nan")}, {"f1": float("inf")}])
def test_scores_are_numbers(files, scores):
    with pytest.raises(InputError, match=r"\bf1\b"):
        crown(files, put_model(files), scores=scores)
    assert not files.exists(layout.model_registry())


def test_a_model_that_is_not_there_is_no_champion(files):
    gone = layout.new_model_id()
    with pytest.raises(MissingObjectError, match=gone):
        crown(files, gone)
    with pytest.raises(InputError, match="'cnn-x'"):
        crown(files, "cnn-x")


def test_every_decision_at_once_is_noted(store):
    crown(store, put_model(store))
    seen = read_registry(store)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: record_decision(store, noted(number)), range(4)))
    registry = read_registry(store)
    assert {item.ingredients for item in registry.considered} == {noted(number).ingredients for number in range(4)}
    assert registry.champion == seen.champion
    assert record_decision(store, noted(0)) == registry


def test_the_latest_decisions_stay(files, monkeypatch):
    monkeypatch.setattr(model_registry, "DECISIONS", 3)
    for number in range(5):
        record_decision(files, noted(number))
    assert read_registry(files).considered == (noted(4), noted(3), noted(2))


def test_others_that_always_come_first(files, monkeypatch):
    monkeypatch.setattr(ObjectStore, "replace", lambda *_: False)
    monkeypatch.setattr(update, "CONFLICTS", Retry(tries=3, pause=0.0))
    with pytest.raises(StoreError, match=r"registry\.json: .* 3 "):
        record_decision(files, noted(1))


def test_the_way_back(files):
    a, b, c = (put_model(files) for _ in range(3))
    for model in (a, b, c):
        crown(files, model, scores={"f1": 0.25 if model == b else 0.5})
    registry = rollback(files)
    assert (registry.champion.model, registry.champion.by) == (b, "rollback")
    assert registry.champion.scores == {"f1": 0.25}
    assert c in registry.champion.why
    assert [item.model for item in registry.former] == [c, b, a]
    assert rollback(files, why="worse still").champion.model == a
    with pytest.raises(InputError, match=f"{a}; .*{b}, {c} .*--to"):
        rollback(files)
    assert rollback(files, c[:16]).champion.model == c
    never = put_model(files)[:16]
    with pytest.raises(MissingObjectError, match=never):
        rollback(files, never)
    with pytest.raises(InputError, match=rf"{a}, {b}.*'{c}'"):
        rollback(files, c)


def test_no_way_back(files):
    with pytest.raises(InputError, match="`difsims retrain`"):
        rollback(files)
    only, other = put_model(files), layout.new_model_id()
    crown(files, only)
    with pytest.raises(InputError, match=only):
        rollback(files)
    with pytest.raises(InputError, match=f"'{other}'"):
        rollback(files, other)


def test_no_way_back_to_a_model_that_is_gone(store):
    first, second, third = (put_model(store) for _ in range(3))
    for model in (first, second, third):
        crown(store, model)
    store.delete(f"{layout.model(second)}/bundle.json")
    before = read_registry(store)
    with pytest.raises(MissingObjectError, match=f"{second}: "):
        rollback(store)
    assert read_registry(store) == before
    assert rollback(store, first).champion.model == first


@settings(max_examples=examples(25), deadline=None)
@given(steps=st.lists(st.sampled_from(["new", "new", "back"]), max_size=12))
def test_steps_back_undo_promotions_one_by_one(steps, tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("registry"))
    line: list[str] = []
    for step in steps:
        if step == "new":
            line.append(put_model(store))
            assert crown(store, line[-1]).champion.model == line[-1]
        elif len(line) > 1:
            line.pop()
            assert rollback(store).champion.model == line[-1]
        else:
            with pytest.raises(InputError):
                rollback(store)


def test_a_promotion_leaves_its_note(store):
    first, second = put_model(store), put_model(store)
    crown(store, first)
    store.delete(layout.champion_note(first))  # as when a process was killed before it could leave one
    crown(store, second)
    assert store.list(layout.CHAMPION_NOTES) == sorted(map(layout.champion_note, (first, second)))


def test_a_promotion_whose_note_fails_is_a_promotion(files, monkeypatch):
    def create(self, key, data):
        raise StoreError("no room")

    model = put_model(files)
    crown(files, put_model(files))
    monkeypatch.setattr(ObjectStore, "create", create)
    assert crown(files, model).champion.model == model
