"""Processes of a stack, found by the id of the stack in their environment; stopped by process id."""

from __future__ import annotations

import os
from collections.abc import Iterable

import psutil

from flows.stack.records.environment import MARK

_SECONDS_TO_END, _SECONDS_TO_DIE = 20, 10


def stack_processes(stack: str) -> list[psutil.Process]:
    """Return all living processes that the programs of a stack have started, however far removed.

    A flow run outlives a worker that is killed, and then nothing but its environment tells where it comes from.
    """
    found = []
    for process in psutil.process_iter():
        try:
            mine = process.environ().get(MARK) == stack and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, OSError):
            continue  # somebody else's, or gone
        if mine and process.pid != os.getpid():
            found.append(process)
    return found


def flow_runs(processes: Iterable[psutil.Process]) -> dict[str, list[psutil.Process]]:
    """Return the processes of each flow run among others, by its id."""
    found: dict[str, list[psutil.Process]] = {}
    for process in processes:
        try:
            run = process.environ().get("PREFECT__FLOW_RUN_ID")
        except (psutil.Error, OSError):
            continue
        if run:
            found.setdefault(run, []).append(process)
    return found


def end(processes: Iterable[psutil.Process], seconds: float = _SECONDS_TO_END) -> list[psutil.Process]:
    """Ask processes to end and kill those that do not within a time; return the killed ones."""
    asked = list(processes)
    for process in asked:
        try:
            process.terminate()
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs(asked, seconds)
    for process in alive:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(alive, _SECONDS_TO_DIE)
    return alive


def described(processes: Iterable[psutil.Process]) -> str:
    """Return ids and names of processes, for a message."""
    words = []
    for process in processes:
        try:
            words.append(f"{process.pid} ({process.name()})")
        except psutil.NoSuchProcess:
            words.append(str(process.pid))
    return ", ".join(words)
