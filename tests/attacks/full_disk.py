"""A disk that is full after so many bytes of any file: one of our errors, nothing half-written, later it goes on."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from tests.attacks.kills import Interrupted
from tests.attacks.kinds import Kind
from tests.attacks.oracles import BrokenPromiseError

_LEVELS = 40
_NAMES = ("simulate", "predict", "evaluate", "promote", "intake")


class FullDisk(Interrupted):
    """An operation whose process can write no file beyond a number of bytes, from one to the size of the largest."""

    def disturb(self, rng: np.random.Generator) -> tuple[list[str], str]:
        before = _files(self.folder)
        most = int(np.exp(rng.uniform(0, np.log(2_000_000))))
        started = self.begin(str(most))
        told = self._told(started)
        left = [path for path in _files(self.folder) - before if path.endswith((".partial", ".tmp"))]
        if left:
            raise BrokenPromiseError(f"{left[0]} is left of a file that did not fit")
        return told, "done" if started.returncode == 0 else "refused"


def _files(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*") if path.is_file()}


KINDS = tuple(Kind(f"disk.{name}", _LEVELS, partial(FullDisk, name=name), 4.0) for name in _NAMES)
