"""Fifty flipped bits in an object of every kind, a fifth of them at a time."""

from __future__ import annotations

import pytest

from tests.attacks.flips import KIND_NAMES, KINDS
from tests.attacks.in_store import objects
from tests.attacks.whole_store import make_in
from tests.attacks.worker import run_cases
from tests.effort import cases

_CASES = 50


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_flipped_bit_is_noticed_and_touches_nothing_else(kind, attacked):
    numbers = cases(_CASES)
    tally = run_cases(kind, 1, numbers, attacked)
    assert tally.failures == []
    assert tally.cases == len(numbers)


def test_there_are_objects_of_every_kind(attacked):
    found = objects(make_in(attacked))
    assert tuple(found) == KIND_NAMES
    assert set(found.values()) <= set(make_in(attacked).store.list())
