"""A stack without its `difsims up` is taken over where it runs what this version would start; else it starts anew."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from threading import Event

import pytest

from difsims_core.retrying import StoppedError
from flows.stack import up
from flows.stack.records.environment import MARK
from flows.stack.records.folder import StackFolder, StackState
from flows.stack.records.options import UpOptions
from flows.stack.services.processes import stack_processes
from flows.stack.services.programs import Program
from flows.stack.supervision.supervisor import Supervisor
from flows.stack.up import Stack
from tests.stack_service import wait_until

NAMES = ("s3", "server", "worker")


def program(name: str) -> Program:
    return Program(name, (sys.executable, "-c", "import time; time.sleep(600)", name), priority=30, stop_seconds=5)


@pytest.fixture
def stack(tmp_path, monkeypatch) -> Iterator[Stack]:
    """Return a stack whose programs sleep, and whose start is the taking of a look."""
    folder = StackFolder(tmp_path / "stack")
    folder.prepare()
    state = StackState()
    folder.save_state(state)
    for name in NAMES:
        monkeypatch.setattr(up, f"{name}_program", lambda *_, name=name: program(name))
    before = dict(os.environ)
    yield Stack(UpOptions(folder.root), lambda _line: None)
    os.environ.clear()
    os.environ.update(before)
    for process in stack_processes(state.id):
        process.kill()


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")  # it is left behind on purpose
@pytest.mark.parametrize("same", [True, False], ids=["of this version", "of another version"])
def test_programs_of_another_version_do_not_run_on(stack, monkeypatch, same):
    state = stack.folder.load_state()
    programs = [program(name) for name in NAMES]
    if not same:
        programs[-1] = replace(programs[-1], command=(*programs[-1].command, "that obeys the server"))
    stack.supervisor.start(programs, {"PATH": os.environ["PATH"], MARK: state.id})
    stack.supervisor.start_program("worker")
    wait_until(lambda: len(stack_processes(state.id)) == 2, 30, lambda: "the supervisor or its program is not there")
    left, found = {process.pid for process in stack_processes(state.id)}, []

    def look(self: Stack, plan: up.Plan, _patience: object) -> None:
        running = {process.pid for process in stack_processes(state.id)}
        found.append((plan.adopted, Supervisor(self.folder).answers(), running))
        raise StoppedError

    monkeypatch.setattr(Stack, "start", look)
    stack.run(Event(), print)
    assert found == [(True, True, left) if same else (False, False, set())]
    assert not stack_processes(state.id)
