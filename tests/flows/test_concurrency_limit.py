"""Slots of a machine: a second simulation waits, and a process that dies gives its slot back."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flows.execution.concurrency_limit import simulation_slot
from flows.ui import progress

_HOLD = """
import sys, time
from pathlib import Path
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


class _Told:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.waiting = threading.Event()

    def on_message(self, text: str) -> None:
        self.lines.append(text)
        if text.startswith("waiting"):
            self.waiting.set()

    def on_progress(self, work: object) -> None: ...

    def on_end(self, work: object) -> None: ...


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> _Told:
    listener = _Told()
    monkeypatch.setattr(progress, "listeners", [listener])
    return listener


def _hold(folder: Path, number: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(folder / f"slot-{number}.lock")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_slot_of_a_killed_process_is_free_again(tmp_path, told):
    with _hold(tmp_path, 0) as first, _hold(tmp_path, 1) as second:
        entered = threading.Event()

        def compute() -> None:
            with simulation_slot(2, tmp_path):
                entered.set()

        waits = threading.Thread(target=compute)
        waits.start()
        assert told.waiting.wait(60)
        assert not entered.wait(1)
        second.kill()
        assert entered.wait(60)
        waits.join()
        first.kill()
    assert "DIFSIMS_SIMULATIONS_A_MACHINE" in told.lines[0]
    assert len(told.lines) == 2, "that it waits, and that it begins"


def test_as_many_enter_as_there_are_slots(tmp_path, told):
    with simulation_slot(2, tmp_path), simulation_slot(2, tmp_path):
        assert not told.lines
        with pytest.MonkeyPatch.context() as patch:
            stop = threading.Event()
            stop.set()
            patch.setattr("flows.execution.concurrency_limit.stop_requested", stop)
            with pytest.raises(progress.Stopped), simulation_slot(2, tmp_path):
                pytest.fail("there is no third slot")
    with simulation_slot(1, tmp_path):
        assert len(told.lines) == 1


def test_no_limit_needs_no_file(tmp_path):
    with simulation_slot(0, tmp_path):
        assert not list(tmp_path.iterdir())


def test_the_files_of_one_user_lie_in_the_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with simulation_slot(1):
        (folder,) = tmp_path.iterdir()
        assert folder.stat().st_mode & 0o777 == 0o700
        assert [path.name for path in folder.iterdir()] == ["slot-0.lock"]
