"""Damaged and hostile JSON records in a whole store, each with its checksum made anew, and what goes on."""

from __future__ import annotations

import json
from functools import partial

import numpy as np

from difsims_core.storage import layout
from tests.attacks.in_store import StoreAttack
from tests.attacks.json_damage import damaged_json
from tests.attacks.kinds import Kind
from tests.attacks.oracles import REFUSED, BrokenPromiseError
from tests.attacks.use import others_go_on, use

_NIGHT = 14_000
NAMES = (
    "root", "array", "receipt", "completion", "dataset-index", "bundle", "model-index", "registry", "intake",
    "evaluation",
)  # fmt: skip
_UNSEALED = ("root", "array")  # Zarr's own form
_OTHERS_EVERY = 4


class DamagedRecords(StoreAttack):
    """A record is replaced, used in earnest, and everything else is asked for."""

    def prepare(self) -> None:
        super().prepare()
        self._document = {name: value for name, value in json.loads(self._data).items() if name != "sha256"}
        for data in (self._data, self._data[:-1], b"[]"):
            self._store.write(self._key, data)
            for work in (use, others_go_on):
                try:
                    work(self._whole, self._key)
                except Exception:  # noqa: BLE001, S112 only to load what it loads
                    continue
        self._original.restore()

    def run(self, rng: np.random.Generator) -> str:
        data = damaged_json(self._document, rng, self._data, sealed=self._name not in _UNSEALED)
        self.material = {"record": data}
        self._store.write(self._key, data)
        self._cases += 1
        try:
            if self._cases % _OTHERS_EVERY == 1:
                going, error = self.judge.outcome(others_go_on, self._whole, self._key)
                if going == REFUSED:
                    raise BrokenPromiseError(f"one damaged record ends everything else: {error!s:.300}")
            found, _ = self.judge.outcome(use, self._whole, self._key)
        finally:
            changed = self._original.restore()
        others = sorted(key for key in changed if not self._may_change(key))
        if others:
            raise BrokenPromiseError(f"using a damaged {self._key} changed {', '.join(others[:3])}")
        return found

    def _may_change(self, key: str) -> bool:
        """Return whether using the record may write this: itself, a receipt its rows, an index a new dataset."""
        begun = self._name in ("dataset-index", "receipt", "root") and key.startswith(layout.SIMULATIONS)
        return key == self._key or (begun and self._whole.datasets[1] not in key)


KINDS = tuple(Kind(f"records.{name}", _NIGHT, partial(DamagedRecords, name=name), 0.02) for name in NAMES)
