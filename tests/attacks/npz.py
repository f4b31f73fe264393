"""Damaged and hostile npz files against the readers of profiles, predictions and truth maps."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from difsims_core.storage.npz import contracts
from difsims_core.storage.npz.members import write_members
from tests.attacks.kinds import Attack, Kind
from tests.attacks.npz_damage import damaged_npz, whole_files
from tests.attacks.oracles import VALUE, BrokenPromiseError, private_temporary_folder

_READERS = {"profiles": contracts.read_profiles, "prediction": contracts.read_prediction, "truth": contracts.read_truth}


class DamagedFiles(Attack):
    """A file is read, and what was read is written and read again: it may not have changed on the way."""

    def __init__(self, folder: Path, contract: str) -> None:
        self._contract, self._read = contract, _READERS[contract]
        super().__init__(folder)

    def prepare(self) -> None:
        private_temporary_folder(self.folder / "tmp")
        self._whole = whole_files(self.folder)[self._contract]
        self._path, self._again = (self.folder / f"{name}_probability_pred.npz" for name in ("damaged", "again"))
        for data in (self._whole, self._whole[:-30], b"", damaged_npz(self._whole, np.random.default_rng(0))):
            self._path.write_bytes(data)
            try:
                self._survives_writing(self._read(self._path))
            except Exception:  # noqa: BLE001, S112 only to load what reading loads
                continue

    def run(self, rng: np.random.Generator) -> str:
        data = damaged_npz(self._whole, rng)
        self.material = {self._path.name: data}
        self._path.write_bytes(data)
        found, value = self.judge.outcome(self._read, self._path)
        if found == VALUE:
            again, error = self.judge.outcome(self._survives_writing, value)
            if again != VALUE:
                raise BrokenPromiseError(f"was read and cannot be written again: {error}")
        elif str(self._path) not in str(value):
            raise BrokenPromiseError(f"an error that does not name the file: {value!s:.300}")
        return found

    def _survives_writing(self, value: contracts.Profiles | contracts.Prediction | contracts.Truth) -> None:
        match value:
            case contracts.Profiles():
                contracts.write_profiles(self._again, value.x, value.y, flags=value.flags)
                again = contracts.read_profiles(self._again)
                same = _same(again.x, value.x) and _same(again.y, value.y) and _same(again.unusable, value.unusable)
            case contracts.Prediction():
                contracts.write_prediction(self._again, value)
                found = contracts.read_prediction(self._again)
                same = _same(found.pred, value.pred) and found.phases == value.phases and found.cnn_id == value.cnn_id
            case _:
                write_members(self._again, {"label": value.label, "phases": np.array(value.phases)})
                same = contracts.read_truth(self._again).phases == value.phases
        if not same:
            raise BrokenPromiseError("what was read has changed when it was written and read again")


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return np.array_equal(one, other.astype(one.dtype), equal_nan=True)


KINDS = tuple(
    Kind(f"contracts.{contract}", night, partial(DamagedFiles, contract=contract), 0.0015)
    for contract, night in {"profiles": 1_700_000, "prediction": 1_700_000, "truth": 1_600_000}.items()
)
