"""A process that works on a store is killed at a random moment: nothing half-done shows, the next completes it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

from difsims_core.errors import DifsimsError
from tests.attacks.examine import findings
from tests.attacks.in_store import objects
from tests.attacks.kinds import Attack, Kind
from tests.attacks.operations import OPERATIONS, OUR_ERROR
from tests.attacks.oracles import REPOSITORY, BrokenPromiseError, Original, check_untouched, digests
from tests.attacks.whole_store import make_in

_NIGHT = 100
_NAMES = ("predict", "evaluate", "promote", "intake", "retention")
_LONGEST_SECONDS = 60


class Interrupted(Attack):
    """An operation in a process of its own that does not come to its end."""

    def __init__(self, folder: Path, name: str) -> None:
        self._name, self._operation = name, OPERATIONS[name]
        super().__init__(folder)

    def prepare(self) -> None:
        self._whole = make_in(self.folder)
        self._original = Original(self._whole.store)
        self._operation.before(self._whole)
        started = self.begin()
        start = time.monotonic()
        self._told(started)
        self._seconds = time.monotonic() - start
        if started.returncode != 0:
            raise RuntimeError(f"{self._name} fails although nobody disturbs it: {started.communicate()[1][-500:]!r}")
        self._original.restore()

    def begin(self, *more: str) -> subprocess.Popen[bytes]:
        """Start the process and return when it is ready to begin."""
        command = [sys.executable, "-m", "tests.attacks.operations", self._name, str(self.folder), *more]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3"}
        pipe = subprocess.PIPE
        started = subprocess.Popen(command, cwd=self.folder, env=environment, stdout=pipe, stderr=pipe, bufsize=0)
        assert started.stdout is not None
        line = started.stdout.readline()  # unbuffered: what was told right after it is left for `communicate`
        if line != b"ready\n":
            raise RuntimeError(f"{self._name} does not begin: {started.communicate()[1][-500:]!r}")
        return started

    def run(self, rng: np.random.Generator) -> str:
        self._operation.before(self._whole)
        before = digests(self._whole.store)
        try:
            told, outcome = self.disturb(rng)
            check_untouched(before, digests(self._whole.store), *self._operation.writes)
            self._check(told)
        finally:
            self._original.restore()
        return outcome

    def disturb(self, rng: np.random.Generator) -> tuple[list[str], str]:
        """Let it work and kill it; return the steps that it told to be done, and how it ended."""
        started = self.begin()
        time.sleep(float(rng.uniform(0, 1.1 * self._seconds)))
        started.kill()
        told = self._told(started)
        return told, "killed" if started.returncode < 0 else "done before"

    def _told(self, started: subprocess.Popen[bytes]) -> list[str]:
        said, errors = started.communicate(timeout=_LONGEST_SECONDS)
        self.material = {"output": said, "errors": errors}
        if started.returncode > 0 and started.returncode != OUR_ERROR:
            raise BrokenPromiseError(f"{self._name} ended without one of our errors: {errors[-300:]!r}")
        return said.decode().split("\n")[:-1]

    def _check(self, told: list[str]) -> None:
        """Refuse a store that is not as it must be now, or after the work was done again."""
        try:
            self._operation.check(self._whole, told)
            list(self._operation.work(self._whole))
            self._operation.check_done(self._whole)
        except DifsimsError as error:
            raise BrokenPromiseError(f"{self._name} after {len(told)} steps: {error!s:.300}") from error
        present = set(self._whole.store.list())
        for key in objects(self._whole).values():
            if key in present and (wrong := findings(self._whole, key)):
                raise BrokenPromiseError(f"after {self._name} {key} is no longer well: {wrong[0]}")


KINDS = tuple(Kind(f"kills.{name}", _NIGHT, partial(Interrupted, name=name), 4.0) for name in _NAMES)
