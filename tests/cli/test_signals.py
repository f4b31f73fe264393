"""A signal ends a command: its exit code, one line, no process left, and the same command resumes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.effort import is_full

ROOT = Path(__file__).resolve().parents[2]
KEPT = "interrupted; finished work is kept, the same command resumes from there"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SMALL = ("--set", "n_patterns=60000", "--set", "output.x_all=false")


@contextmanager
def command(folder: Path, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command in a process group of its own, with nothing of Prefect set."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    environment |= {"PREFECT_HOME": str(folder / "prefect"), "PYTHONPATH": str(ROOT), **variables}
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli.app", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, env=environment,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Return the line of the story that holds these words."""
    assert process.stderr is not None
    told = []
    for line in process.stderr:
        told.append(line)
        if words in line:
            return line
    pytest.fail(f"{words!r} was never said: {told}")


def ended(process: subprocess.Popen[str], number: int) -> list[str]:
    """Send a signal; return the lines that follow once the command and its whole process group have ended."""
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    return errors.splitlines()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_a_simulation_and_the_same_command_resumes(tmp_path, number):
    arguments = ("simulate", *SMALL, "--store", str(tmp_path / "store"))
    with command(tmp_path, *arguments) as process:
        simulation = read_until(process, "simulating").split()[-1]
        assert ended(process, number).count(KEPT) == 1
    if number != signal.SIGTERM and not is_full():
        return  # what is kept has nothing to do with which of them it was
    again = ("simulate", *SMALL, "--set", "n_patterns=60000", "--store", str(tmp_path / "store"))
    with command(tmp_path, *again) as process:
        output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert output.split() == [simulation]


def test_a_signal_ends_a_wait_for_the_store_which_is_told(tmp_path):
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "word", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    with command(tmp_path, "simulate", *SMALL, "--store", "s3://lab/difsims", **keys) as process:
        told = read_until(process, "is tried again")
        assert "begin dataset waits" in told
        assert "127.0.0.1:9" in told or "s3://lab" in told
        assert ended(process, signal.SIGTERM).count(KEPT) == 1


@pytest.mark.service
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_a_command_while_its_prefect_server_starts(tmp_path, number):
    with command(tmp_path, "simulate", "--prefect", *SMALL, "--store", str(tmp_path / "store")) as process:
        read_until(process, "starting Prefect")
        assert ended(process, number) == [KEPT]
