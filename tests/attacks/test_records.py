"""Five thousand damaged records in a whole store."""

from __future__ import annotations

import pytest

from tests.attacks.records import KINDS
from tests.attacks.worker import run_cases

_CASES = 5_000 // len(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_damaged_records_end_nothing_but_themselves(kind, attacked):
    tally = run_cases(kind, 1, range(_CASES), attacked)
    assert tally.failures == []
    assert tally.cases == _CASES
