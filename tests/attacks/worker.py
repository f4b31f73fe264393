"""A process that runs the cases of one kind, and the one that watches it: a case may kill it or stop it for good."""

from __future__ import annotations

import logging
import multiprocessing
import resource
import shutil
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np

from tests.attacks.kinds import Kind
from tests.attacks.oracles import BrokenPromiseError, memory

# Forked from a process that has loaded what all kinds use, without TensorFlow: its threads do not survive a fork.
_FORK = multiprocessing.get_context("forkserver")
_FORK.set_forkserver_preload([f"tests.attacks.{name}" for name in ("flips", "records", "npz", "documents")])
_ROOM = 5 * 2**29  # bytes beyond what the process has when it begins: more than a case may take, less than hurts
_PREPARING_SECONDS = 600
_CASE_SECONDS = 120  # by the clock of the wall, on a machine that may be busy; a case has ten of computing
_MOST_DEATHS = 25
_MOST_SAVED = 10
_NOT_BEGUN = -1


@dataclass
class Tally:
    """What came of the cases of one kind.

    Attributes
    ----------
    kind : str
        Its name.
    seed, cases : int
        Of the campaign; how many were run.
    outcomes : Counter
        How many ended how.
    failures : list of (int, str)
        Number of the case, and which promise was broken.
    seconds : float
        By the clock of the wall.
    """

    kind: str
    seed: int
    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, other: Tally) -> None:
        """Take in what came of more cases of this kind."""
        self.cases += other.cases
        self.outcomes += other.outcomes
        self.failures += other.failures
        self.seconds += other.seconds


def rng_of(kind: Kind, seed: int, number: int) -> np.random.Generator:
    """Return the random numbers of a case, the same on every machine and in every order."""
    return np.random.default_rng([seed, number, *kind.name.encode()])


def run_cases(
    kind: Kind,
    seed: int,
    numbers: Sequence[int],
    folder: Path,
    *,
    saved: Path | None = None,
    until: float | None = None,
) -> Tally:
    """Run cases in a process of their own, which is begun again when one of them ends it; return what came of them.

    Parameters
    ----------
    kind, seed, numbers
        Which cases.
    folder
        Where they work; a kind that needs a store makes one there, unless there is one.
    saved
        Where broken cases are kept, to be seen again.
    until
        `time.monotonic` at which no further case is begun.
    """
    tally, start, left = Tally(kind.name, seed), time.monotonic(), list(numbers)
    deaths = 0
    while left and (until is None or time.monotonic() < until):
        done, death = _one_process(kind, seed, left, folder, saved, until, tally)
        if death is None:
            break
        deaths += 1
        shutil.rmtree(folder)  # whatever the case had done to it
        folder.mkdir()
        if done == _NOT_BEGUN or deaths > _MOST_DEATHS:
            tally.failures.append((left[0], f"the process ended {deaths} times, the last time {death}"))
            break
        tally.failures.append((left[done], death))
        tally.cases += 1
        left = left[done + 1 :]
    tally.seconds = time.monotonic() - start
    return tally


def _one_process(
    kind: Kind, seed: int, numbers: list[int], folder: Path, saved: Path | None, until: float | None, tally: Tally
) -> tuple[int, str | None]:
    """Return the place in ``numbers`` of the last case that was begun, and how the process died; None: it did not."""
    here, there = _FORK.Pipe(duplex=False)
    place = _FORK.Value("q", _NOT_BEGUN, lock=False)
    seconds = None if until is None else until - time.monotonic()
    process = _FORK.Process(target=_work, args=(kind, seed, numbers, folder, saved, seconds, place, there))
    process.start()
    there.close()
    death = _listen(process, here, place, tally)
    process.join(10)
    if process.is_alive():
        process.kill()
        process.join()
    here.close()
    return place.value, death


def _listen(process: BaseProcess, here: Connection, place: Any, tally: Tally) -> str | None:
    last, since = place.value, time.monotonic()
    while True:
        try:
            if here.poll(0.2):
                part = here.recv()
                if part is None:
                    return None
                tally.add(part)
        except EOFError:
            process.join(10)
            return f"died with exit code {process.exitcode}"
        if place.value != last:
            last, since = place.value, time.monotonic()
        if time.monotonic() - since > (_PREPARING_SECONDS if last == _NOT_BEGUN else _CASE_SECONDS):
            process.kill()
            process.join()
            return f"did not end within {_CASE_SECONDS} s"


def _work(
    kind: Kind,
    seed: int,
    numbers: list[int],
    folder: Path,
    saved: Path | None,
    seconds: float | None,
    place: Any,
    there: Connection,
) -> None:
    until = None if seconds is None else time.monotonic() + seconds
    logging.disable()  # of what the code under test has to say nobody reads thousands of lines
    attack = kind.begin(folder)
    limit = memory("VmSize") + _ROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    kept = 0
    part, told = Tally(kind.name, seed), time.monotonic()
    for at, number in enumerate(numbers):
        if until is not None and time.monotonic() > until:
            break
        place.value = at
        part.cases += 1
        try:
            part.outcomes[attack.run(rng_of(kind, seed, number))] += 1
        except BrokenPromiseError as error:
            part.outcomes["broken"] += 1
            part.failures.append((number, str(error)))
            if saved is not None and kept < _MOST_SAVED:
                _save(saved / f"{kind.name}-{seed}-{number}", attack.material)
                kept += 1
        if part.failures or time.monotonic() - told > 1:
            there.send(part)
            part, told = Tally(kind.name, seed), time.monotonic()
    try:
        attack.close()
    except BrokenPromiseError as error:
        part.failures.append((numbers[-1], f"at the end: {error}"))
    there.send(part)
    there.send(None)


def _save(folder: Path, material: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "failure.txt").write_text(traceback.format_exc(), encoding="utf-8", errors="backslashreplace")
    for name, data in material.items():
        (folder / name).write_bytes(data)
