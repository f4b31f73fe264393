"""Fifty flipped bits in an object of every kind, a fifth of them at a time."""

from __future__ import annotations

from itertools import cycle

import numpy as np

from tests.attacks.flips import KIND_NAMES, KINDS
from tests.attacks.in_store import objects
from tests.attacks.kinds import Attack, Kind
from tests.attacks.whole_store import make_in
from tests.attacks.worker import run_cases
from tests.effort import cases

_CASES = 50 * len(KINDS)


class EveryKind(Attack):
    """All kinds in turn, in one process: what each of them would load takes longer than its cases."""

    def prepare(self) -> None:
        self._attacks = [kind.begin(self.folder) for kind in KINDS]
        self._turns = cycle(self._attacks)

    def run(self, rng: np.random.Generator) -> str:
        attack = next(self._turns)
        try:
            return attack.run(rng)
        finally:
            self.material = attack.material

    def close(self) -> None:
        for attack in self._attacks:
            attack.close()


def test_every_flipped_bit_is_noticed_and_touches_nothing_else(attacked):
    numbers = cases(_CASES)
    tally = run_cases(Kind("flips.all", _CASES, EveryKind, 0.03), 1, numbers, attacked)
    assert tally.failures == []
    assert tally.cases == len(numbers)


def test_there_are_objects_of_every_kind(attacked):
    found = objects(make_in(attacked))
    assert tuple(found) == KIND_NAMES
    assert set(found.values()) <= set(make_in(attacked).store.list())
