"""Decisions reach the registry: one winner of several, whatever a person has decided stays."""

from __future__ import annotations

import threading

import pytest

from difsims_core.errors import StoreError
from difsims_core.models.apply_decision import decide_and_apply
from difsims_core.models.promotion_rule import PromotionDecision
from difsims_core.models.registry import promote, promote_by_hand, read_registry, rollback
from difsims_core.storage import layout
from difsims_core.storage.objects import open_store

A, B, C = (f"cnn-00000000-0000-4000-8000-00000000000{digit}" for digit in "abc")


def store_with_models(url):
    store = open_store(url)
    for model in (A, B, C):
        store.write_record(layout.model_record(model), {"id": model})
    return store


@pytest.fixture
def store(tmp_path):
    return store_with_models(tmp_path / "store")


def yes(_champion):
    return PromotionDecision(True, "better", scores={"accuracy": 0.9})


def no(_champion):
    return PromotionDecision(False, "worse")


def test_a_decision_is_written_down_either_way(store):
    first = decide_and_apply(store, A, "1" * 64, yes)
    assert (first.before, first.champion, first.decision.promote) == (None, A, True)
    second = decide_and_apply(store, B, "2" * 64, no)
    assert (second.before, second.champion, second.decision.promote) == (A, A, False)
    registry = read_registry(store)
    assert registry.champion.model == A
    assert (registry.champion.by, registry.champion.scores) == ("retrain", {"accuracy": 0.9})
    assert [(item.ingredients[0], item.model, item.promoted, item.why) for item in registry.considered] == [
        ("2", B, False, "worse"), ("1", A, True, "better"),
    ]  # fmt: skip


def test_what_a_person_has_replaced_does_not_return_by_itself(store):
    decide_and_apply(store, A, "1" * 64, yes)
    decide_and_apply(store, B, "2" * 64, yes)
    rollback(store)
    again = decide_and_apply(store, B, "3" * 64, lambda _: pytest.fail("nothing is to be compared"))
    assert not again.decision.promote
    assert again.decision.why
    same = decide_and_apply(store, A, "4" * 64, lambda _: pytest.fail("nothing is to be compared"))
    assert not same.decision.promote
    assert same.decision.why != again.decision.why
    assert read_registry(store).champion.model == A


def test_the_slower_of_two_compares_again_with_the_new_champion(store):
    decide_and_apply(store, A, "1" * 64, yes)
    judged = []

    def judge(champion):
        judged.append(champion)
        if champion == A:
            promote(store, read_registry(store), C, why="faster", scores={}, by="retrain")
        return PromotionDecision(champion == A, f"against {champion}")

    outcome = decide_and_apply(store, B, "2" * 64, judge)
    assert judged == [A, C]
    assert (outcome.champion, outcome.decision.promote, outcome.decision.why) == (C, False, f"against {C}")


def test_after_three_changes_it_gives_up_for_now(store):
    judged = []

    def judge(champion):
        judged.append(champion)
        other = A if champion == C else C
        promote(store, read_registry(store), other, why="faster", scores={}, by="hand")
        return yes(champion)

    outcome = decide_and_apply(store, B, "2" * 64, judge)
    assert judged == [None, C, A]
    assert not outcome.decision.promote
    registry = read_registry(store)
    assert registry.champion.model == C
    assert [(item.ingredients, item.promoted) for item in registry.considered] == [("", False)], "to be looked at again"


def test_a_store_that_has_lost_its_registry_gets_no_first_champion_by_itself(store):
    decide_and_apply(store, A, "1" * 64, yes)
    store.delete(layout.model_registry())
    with pytest.raises(StoreError, match=r"registry\.json: .* 1 .*`difsims restore"):
        decide_and_apply(store, B, "2" * 64, yes)
    decide_and_apply(store, B, "3" * 64, no)  # a note of a decision makes no history
    with pytest.raises(StoreError, match=r"registry\.json: .* 1 .*`difsims restore"):
        decide_and_apply(store, B, "4" * 64, yes)
    assert promote_by_hand(store, B, why="it is the best").champion.model == B


def test_two_at_once_cannot_both_win(store_url):
    """Both have read the registry and decided before either writes."""
    store = store_with_models(store_url)
    for attempt in range(5):
        meeting, outcomes, errors = threading.Barrier(2), {}, []

        def run(model, attempt=attempt, meeting=meeting, outcomes=outcomes, errors=errors):
            first = True

            def judge(champion):
                nonlocal first
                if first:
                    first = False
                    meeting.wait(timeout=30)
                    return PromotionDecision(True, "better")
                return PromotionDecision(False, f"against {champion}")

            try:
                outcomes[model] = decide_and_apply(store, model, str(attempt) * 64, judge)
            except BaseException as error:  # noqa: BLE001 - shown by the assertion below
                errors.append(error)

        store.delete(layout.model_registry())
        store.delete_tree(layout.CHAMPION_NOTES)
        threads = [threading.Thread(target=run, args=(model,)) for model in (A, B)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not errors
        winners = [model for model, outcome in outcomes.items() if outcome.decision.promote]
        assert len(winners) == 1
        assert read_registry(store).champion.model == winners[0]
        loser = outcomes[B if winners == [A] else A]
        assert loser.decision.why == f"against {winners[0]}"
