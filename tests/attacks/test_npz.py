"""Twenty thousand damaged npz files, a fifth of them at a time."""

from __future__ import annotations

import pytest

from tests.attacks.npz import KINDS
from tests.attacks.worker import run_cases
from tests.effort import cases

_CASES = 20_000 // len(KINDS) + 1


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_damaged_files_are_read_as_they_are_or_refused(kind, tmp_path):
    numbers = cases(_CASES)
    tally = run_cases(kind, 1, numbers, tmp_path)
    assert tally.failures == []
    assert tally.cases == len(numbers)
    assert min(tally.outcomes["value"], tally.outcomes["refused"]) > len(numbers) / 100
