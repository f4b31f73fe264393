"""Waiting for services that do not come, and telling of those that die."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pytest

from difsims_core.retrying import StoppedError
from flows.stack.deploy import Deploying, Deployments
from flows.stack.errors import StackError
from flows.stack.services.health import Deadline, await_health
from flows.stack.supervision.supervisor import ProgramState
from flows.stack.supervision.watch import watch_over


@dataclass
class Programs:
    """A supervisor of one program whose states follow a script; the last one stays."""

    script: list[tuple[str, int]]
    asked: int = field(default=0)

    def states(self) -> dict[str, ProgramState]:
        state, pid = self.script[min(self.asked, len(self.script) - 1)]
        self.asked += 1
        return {"s3": ProgramState("s3", state, pid, "a note")}

    def log_file(self, name: str) -> Path:
        return Path("/logs") / f"{name}.log"

    def last_lines(self, name: str) -> str:
        return f"    the last words of {name}"


def deadline(seconds: float = 5) -> Deadline:
    return Deadline(seconds, Event())


def test_a_program_that_does_its_work_is_waited_for():
    programs, problems = Programs([("STARTING", 0), ("RUNNING", 7)]), iter(["not yet", "not yet", None])
    await_health("s3", lambda: next(problems), programs, deadline())
    assert programs.asked == 4


@pytest.mark.parametrize(
    ("script", "seconds", "said"),
    [
        ([("RUNNING", 7)], 0.1, "^s3 .*: no answer"),
        ([("BACKOFF", 0)], 0.1, r"^s3 .*\(a note\)"),
        ([("FATAL", 0)], 60, "^s3 "),
        ([("RUNNING", 7), ("RUNNING", 8), ("RUNNING", 9)], 60, "^s3 "),
    ],
)
def test_a_program_that_does_not_is_an_error_with_its_log_and_a_remedy(script, seconds, said):
    with pytest.raises(StackError, match=said) as caught:
        await_health("s3", lambda: "no answer", Programs(script), deadline(seconds))
    assert "/logs/s3.log" in str(caught.value)
    assert "the last words of s3" in str(caught.value)
    assert "--s3" in str(caught.value)


def test_a_wait_ends_at_once_when_the_end_is_wished_for():
    stop = Event()
    stop.set()
    with pytest.raises(StoppedError):
        await_health("s3", lambda: "no answer", Programs([("RUNNING", 7)]), Deadline(600, stop))


def test_deployments_that_fail_are_an_error_with_the_log(tmp_path, monkeypatch):
    log, file = tmp_path / "deploy.log", tmp_path / "prefect.yaml"
    log.write_text("no such flow\n")
    file.write_text("deployments: [{name: local, flow_name: simulate}]")

    class Ended:
        def poll(self) -> int:
            return 1

    class NoDeployments:
        def get(self, _path: str) -> None:
            return None

    with pytest.raises(StackError, match=r" 1\).* simulate/local") as caught:
        Deploying(Ended(), log).finish(NoDeployments(), Deployments(file), deadline())
    assert "no such flow" in str(caught.value)


def test_deaths_are_told_once(monkeypatch):
    monkeypatch.setattr("flows.stack.supervision.watch.SECONDS_BETWEEN", 0.01)
    programs = Programs([("RUNNING", 7), ("RUNNING", 7), ("RUNNING", 8), ("RUNNING", 8), ("FATAL", 0), ("FATAL", 0)])
    stop, told = Event(), []

    def tell(line: str) -> None:
        told.append(line)
        if len(told) == 2:
            stop.set()

    watch_over(programs, None, stop, tell)
    assert told[0].startswith("s3 ")
    assert "/logs/s3.log" in told[0]
    assert "the last words of s3" in told[1]


def test_a_supervisor_that_is_gone_ends_the_watch(monkeypatch):
    monkeypatch.setattr("flows.stack.supervision.watch.SECONDS_BETWEEN", 0.01)

    class Gone(Programs):
        def states(self) -> dict[str, ProgramState]:
            if self.asked:
                raise StackError("supervisord does not answer")
            return super().states()

    with pytest.raises(StackError, match="supervisord does not answer") as caught:
        watch_over(Gone([("RUNNING", 7)]), None, Event(), print)
    assert caught.value.remedy
