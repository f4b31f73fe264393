"""Five thousand damaged records in a whole store, a fifth of them at a time."""

from __future__ import annotations

import pytest

from tests.attacks.records import KINDS
from tests.attacks.worker import run_cases
from tests.effort import cases

_CASES = 5_000 // len(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_damaged_records_end_nothing_but_themselves(kind, attacked):
    numbers = cases(_CASES)
    tally = run_cases(kind, 1, numbers, attacked)
    assert tally.failures == []
    assert tally.cases == len(numbers)
