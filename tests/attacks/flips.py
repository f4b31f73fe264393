"""One flipped bit in an object of every kind: the whole check notices it, readers stay calm, the others stay well."""

from __future__ import annotations

from functools import partial

import numpy as np

from tests.attacks.examine import findings
from tests.attacks.in_store import StoreAttack, objects
from tests.attacks.kinds import Kind
from tests.attacks.oracles import BrokenPromiseError, check_untouched, digests
from tests.attacks.use import use

_NIGHT = 2_000
_OTHERS_EVERY = 10  # cases: the check of what was not touched takes longer than a case


KIND_NAMES = (
    "root", "group", "array", "profiles", "labels", "draws", "axis", "receipt", "completion", "dataset-index", "bundle",
    "weights", "model-index", "registry", "intake", "prediction", "evaluation",
)  # fmt: skip


class FlippedBits(StoreAttack):
    """A bit is flipped, everything is asked about it, and the bit is flipped back."""

    def prepare(self) -> None:
        super().prepare()
        self._before = digests(self._store)
        everything = objects(self._whole)
        mine = {_item(self._key)}
        if self._name == "model-index":  # who checks a model looks whether it can be found
            mine.add(_item(everything["bundle"]))
        self._others = [key for key in everything.values() if _item(key) not in mine]
        for key in (self._key, *self._others):
            if wrong := findings(self._whole, key):
                raise BrokenPromiseError(f"{key} is not well before anything is done to it: {wrong[0]}")
        for data in (self._data[:-1], b""):
            self._store.write(self._key, data)
            try:
                use(self._whole, self._key)
            except Exception:  # noqa: BLE001, S112 only to load what it loads
                continue
        findings(self._whole, self._key)
        self._original.restore()
        use(self._whole, self._key)
        self._original.restore()

    def run(self, rng: np.random.Generator) -> str:
        at, bit = int(rng.integers(len(self._data))), int(rng.integers(8))
        data = bytearray(self._data)
        data[at] ^= 1 << bit
        self.material = {"object": bytes(data), "original": self._data}
        self._store.write(self._key, bytes(data))
        self._cases += 1
        try:
            _, wrong = self.judge.outcome(findings, self._whole, self._key)
            if not wrong:
                raise BrokenPromiseError(f"verify does not notice bit {bit} of byte {at} of {self._key}")
            if self._cases % _OTHERS_EVERY == 1:
                self._check_others(rng)
            found, _ = self.judge.outcome(use, self._whole, self._key)  # last: it may mend what was damaged
        finally:
            self._original.restore()
        return found

    def _check_others(self, rng: np.random.Generator) -> None:
        check_untouched(self._before, digests(self._store), self._key)
        other = str(rng.choice(self._others))
        if wrong := findings(self._whole, other):
            raise BrokenPromiseError(f"with {self._key} damaged, {other} is no longer well: {wrong[0]}")

    def close(self) -> None:
        check_untouched(self._before, digests(self._store))


def _item(key: str) -> str:
    """Return what an object is a part of."""
    return "/".join(key.split("/")[:2])


KINDS = tuple(Kind(f"flips.{name}", _NIGHT, partial(FlippedBits, name=name), 0.03) for name in KIND_NAMES)
