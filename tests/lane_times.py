"""Where the minutes of a run went: by process, and by folder within it.

A process of the tests says with each report what it and all that it has started have used since its last one. The
time of a service that several tests share is counted where it passes.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

_BUSIEST = 6  # folders that are named
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class LaneTimes:
    """Wall and processor time of every process of a run, a plugin of all of them."""

    def __init__(self) -> None:
        self._used = _processor_seconds()
        self._spent: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Iterator[None]:
        """Write on a report what was used since the last one."""
        report = yield
        before, self._used = self._used, _processor_seconds()
        report.processor_s = max(0.0, self._used - before)
        return report

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Add a report to its process and folder."""
        folder = "/".join(report.nodeid.split("::")[0].removeprefix("tests/").split("/")[:-1]) or "tests"
        spent = self._spent[getattr(report, "worker_id", "here")][folder]
        spent[0] += report.duration
        spent[1] += getattr(report, "processor_s", 0.0)  # a process that died has said nothing

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say where the time went."""
        for line in self.lines():
            terminalreporter.write_line(line)

    def lines(self) -> list[str]:
        """Return a line for each process: its seconds, those of processors in brackets, and its busiest folders."""
        told = []
        for process, folders in sorted(self._spent.items()):
            wall, used = map(sum, zip(*folders.values(), strict=True))
            busiest = sorted(folders.items(), key=lambda item: item[1], reverse=True)[:_BUSIEST]
            named = ", ".join(f"{folder} {seconds:.0f} ({own:.0f})" for folder, (seconds, own) in busiest)
            told.append(f"{process}: {wall:.0f} s ({used:.0f} s of processors): {named}")
        return told


def _processor_seconds() -> float:
    """Return what this process has used, those below it, and those that have ended there."""
    times = os.times()
    ended = times.children_user + times.children_system
    return times.user + times.system + ended + sum(map(_used_by, _children(os.getpid())))


def _used_by(pid: int) -> float:
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / _TICKS_A_SECOND + sum(map(_used_by, _children(pid)))
    return 0.0  # it has just ended


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    return found
