"""Twenty thousand damaged npz files."""

from __future__ import annotations

import pytest

from tests.attacks.npz import KINDS
from tests.attacks.worker import run_cases

_CASES = 20_000 // len(KINDS) + 1


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_damaged_files_are_read_as_they_are_or_refused(kind, tmp_path):
    tally = run_cases(kind, 1, range(_CASES), tmp_path)
    assert tally.failures == []
    assert tally.cases == _CASES
    assert min(tally.outcomes["value"], tally.outcomes["refused"]) > 100
