"""The end of a stack: in order, and over by its deadline whatever does not stop."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest

from flows.stack.errors import StackError
from flows.stack.records.environment import MARK
from flows.stack.records.folder import StackFolder
from flows.stack.services.processes import stack_processes
from flows.stack.services.programs import Program, s3_program, server_program, worker_program
from flows.stack.supervision import stop
from flows.stack.supervision.stop import stop_flow_runs, stop_programs
from flows.stack.supervision.stop_deadline import StopDeadline
from flows.stack.supervision.supervisor import Supervisor
from tests.stack_service import wait_until

# The object that stands for supervisord is left behind: the stack finds processes by their id.
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")

STACK = "a-stack-that-stops"
PRIORITIES = {"s3": 10, "server": 20, "worker": 30}
# Says that it is there and waits for SIGTERM: then it adds its name to a file, or does not mind.
PROGRAM = """
import pathlib, signal, sys, time
ended, name, how = pathlib.Path(sys.argv[1]), *sys.argv[2:]
def end(*_):
    with ended.open("a") as file:
        file.write(name + "\\n")
    sys.exit()
signal.signal(signal.SIGTERM, signal.SIG_IGN if how == "stubborn" else end)
(ended.parent / name).touch()
time.sleep(600)
"""


@pytest.fixture
def ended(tmp_path) -> Path:
    return tmp_path / "ended"


@pytest.fixture
def supervisor(tmp_path, ended) -> Iterator[Supervisor]:
    folder = StackFolder(tmp_path / "stack")
    folder.prepare()
    yield Supervisor(folder)
    for process in stack_processes(STACK):
        process.kill()


def start(supervisor: Supervisor, ended: Path, stubborn: str = "") -> None:
    """Start three programs, one of which may not stop by itself."""
    script = ended.with_name("program.py")
    script.write_text(PROGRAM)
    programs = []
    for name, priority in PRIORITIES.items():
        how, seconds = ("stubborn", 600) if name == stubborn else ("tidy", 30)
        programs.append(Program(name, (sys.executable, str(script), str(ended), name, how), priority, seconds))
    supervisor.start(programs, {"PATH": os.environ["PATH"], MARK: STACK})
    for name in PRIORITIES:
        supervisor.start_program(name)
        wait_until((ended.parent / name).exists, 30, lambda name=name: supervisor.last_lines(name))


class Records:
    """The API of a server that knows one run, and takes note of what becomes of it."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def get(self, path: str) -> dict[str, object]:
        return {"name": "a run", "auto_scheduled": False, "state": {"type": "RUNNING"}, "id": path.rpartition("/")[2]}

    def post(self, _path: str, body: dict[str, dict[str, str]]) -> None:
        self.ended.append(body["state"]["type"])


def flow_run() -> subprocess.Popen[bytes]:
    environment = dict(os.environ) | {MARK: STACK, "PREFECT__FLOW_RUN_ID": "run"}
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env=environment)


def test_flow_runs_stop_first_then_the_worker_and_then_the_server_is_told():
    records, at_worker = Records(), []
    with flow_run() as process:
        stopping = SimpleNamespace(
            stop_program=lambda name: at_worker.append((name, process.poll() is None, list(records.ended)))
        )
        told: list[str] = []
        stop_flow_runs(stopping, STACK, records, told.append)
    assert at_worker == [("worker", False, [])]
    assert records.ended == ["CRASHED"]
    assert "a run" in "".join(told)


def test_the_programs_stop_in_reverse_order(supervisor, ended):
    start(supervisor, ended)
    stop_flow_runs(supervisor, STACK, Records(), print)
    assert ended.read_text().split() == ["worker"]
    stop_programs(supervisor, STACK, 60, pytest.fail)
    assert ended.read_text().split() == ["worker", "server", "s3"]
    assert stack_processes(STACK) == []


@pytest.mark.parametrize("stubborn", ["worker", "s3"])
def test_what_does_not_stop_in_order_is_killed_and_nothing_is_left(supervisor, ended, stubborn):
    start(supervisor, ended, stubborn)
    signal, told = Event(), []
    deadline = StopDeadline(in_order=2, leave=lambda _code: pytest.fail("nothing holds it up any more"))
    with deadline.kept(signal, supervisor, STACK, told.append):
        signal.set()
        if stubborn == "worker":
            with pytest.raises(StackError):
                stop_flow_runs(supervisor, STACK, Records(), told.append)
        stop_programs(supervisor, STACK, 600, told.append)
    assert stack_processes(STACK) == []
    assert str(deadline.in_order) in told[0]


def test_a_process_that_waits_for_something_else_leaves(supervisor):
    signal, gone, left = Event(), Event(), []

    def leave(code: int) -> None:
        left.append(code)
        gone.set()

    with StopDeadline(in_order=0, to_die=0, leave=leave).kept(signal, supervisor, STACK, print):
        signal.set()
        assert gone.wait(60)
    assert left == [1]


def test_a_stack_that_ends_in_time_is_left_alone(supervisor):
    signal, told = Event(), []
    with StopDeadline(in_order=600).kept(signal, supervisor, STACK, told.append):
        signal.set()
    assert told == []


def test_the_steps_of_an_end_have_room_in_its_minute(tmp_path):
    ports = {"prefect": 1, "s3": 2}
    programs = [s3_program(StackFolder(tmp_path), ports), server_program(ports), worker_program("worker")]
    deadline = StopDeadline()
    assert (
        sum(program.stop_seconds for program in programs) + stop.FLOW_SECONDS + stop.SUPERVISOR_SECONDS
        < deadline.in_order
    )
    assert deadline.in_order + deadline.to_die <= 60
