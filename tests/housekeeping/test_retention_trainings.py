"""What a training that was stopped goes on from is kept while it is young, and goes when nobody has come back to it."""

from __future__ import annotations

import pytest

from difsims_core.housekeeping.retention import apply_retention
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore
from tests.housekeeping.plans import NOW, going, plan_for, why
from tests.small_stores import contents, fingerprint, put_dataset, put_model, write_registry

pytestmark = pytest.mark.usefixtures("later_clock")


def put_state(store: ObjectStore, name: str, network: str = "network") -> str:
    own = fingerprint(name)
    store.write_record(layout.training_state(own, network), {"epoch": 2})
    store.write(layout.training_arrays(own, network, 2), b"x" * 1000)
    return layout.training_id(own)


def test_states_of_trainings_nobody_came_back_to_go_whole(store):
    champion = put_model(store, datasets=[put_dataset(store)])
    write_registry(store, champion)
    left = put_state(store, "left")
    put_state(store, "left", "second")
    store.write(f"{layout.TRAINING_STATES}/somebody else's", b"notes")
    before = contents(store)
    plan = plan_for(store)
    assert going(plan) == {left}
    (decision,) = plan.going
    assert (decision.kind, decision.why.split(",")[0]) == ("training", "never finished")
    assert decision.size > 2000
    apply_retention(store, plan)
    gone = layout.training_states(fingerprint("left"))
    assert contents(store).keys() == {key for key in before if not key.startswith(gone)}


def test_young_states_stay(store):
    write_registry(store, None)
    young = put_state(store, "young")
    plan = plan_for(store, keep_days=200)
    assert going(plan) == set()
    assert why(plan, young).startswith("written to on")
    assert plan.policy.since < NOW
