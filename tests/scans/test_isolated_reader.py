"""The process that reads unknown scans: it answers whatever they do to it, and never meets a secret."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.scans import isolated_reader
from difsims_core.scans.isolated_reader import ReadingLimits, ScanReader, ScanReaderError
from tests.uploads import HALF, WHOLE

PLAIN = ReadingLimits(memory_mb=2_000, seconds=100)
MISBEHAVING = """
import os, signal, sys, time
from difsims_core.scans import reader_process

def read_profiles(path, shown):
    if "killer" in shown: os.kill(os.getpid(), signal.SIGKILL)
    if "sleeper" in shown: time.sleep(600)
    if "leaver" in shown: os._exit(3)
    if "printer" in shown: os.write(1, b'{"problem": null}\\n')
    if "talker" in shown: raise ValueError("x" * 100_000 + "\\udc80")
    if "deep" in shown: raise RecursionError("too deep")

reader_process.read_profiles = read_profiles
reader_process.main()
"""


@pytest.fixture
def scan(tmp_path: Path):
    """Write a scan of this name and return its path."""

    def put(name: str, data: bytes = WHOLE) -> str:
        path = tmp_path / f"{name}_radial_crop.npz"
        path.write_bytes(data)
        return str(path)

    return put


@pytest.fixture
def misbehaving(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process does what the names of scans say."""
    monkeypatch.setattr(isolated_reader, "COMMAND", (sys.executable, "-c", MISBEHAVING))


def test_whole_scans_have_no_problem_and_others_their_own(scan):
    with ScanReader(PLAIN) as reader:
        before = set(psutil.Process().children())
        assert reader.problem(scan("whole")) is None
        (child,) = set(psutil.Process().children()) - before
        assert "half_radial_crop.npz: " in str(reader.problem(scan("half", HALF)))
        assert reader.problem(scan("again")) is None
        assert set(psutil.Process().children()) - before == {child}, "one process for all"
    assert not child.is_running()


def test_a_raw_scan_is_opened_and_some_of_its_frames_are_read(tmp_path):
    frames = np.zeros((3, 2, 8, 8), np.uint16)
    np.save(tmp_path / "whole.npy", frames)
    data = (tmp_path / "whole.npy").read_bytes()
    (tmp_path / "half.npy").write_bytes(data[: len(data) // 2])
    np.save(tmp_path / "long.npy", frames.reshape(6, 8, 8)[:5])
    with ScanReader(PLAIN) as reader:
        assert reader.raw_problem(str(tmp_path / "whole.npy"), ReadingSpec()) is None
        assert "half.npy: expected" in str(reader.raw_problem(str(tmp_path / "half.npy"), ReadingSpec()))
        assert "scan_shape" in str(reader.raw_problem(str(tmp_path / "long.npy"), ReadingSpec()))
        assert reader.raw_problem(str(tmp_path / "long.npy"), ReadingSpec(scan_shape=(1, 5))) is None


def test_a_raw_scan_that_takes_its_reader_along_is_a_problem_of_the_scan(tmp_path, monkeypatch):
    np.save(tmp_path / "killer.npy", np.zeros((3, 2, 8, 8), np.uint16))
    code = """
import os, signal
from difsims_core.experiment import open_scan
from difsims_core.scans import reader_process
open_scan.open_raw_scan = lambda path, reading: os.kill(os.getpid(), signal.SIGSEGV)
reader_process.main()
"""
    monkeypatch.setattr(isolated_reader, "COMMAND", (sys.executable, "-c", code))
    with ScanReader(PLAIN) as reader:
        assert "SIGSEGV" in str(reader.raw_problem(str(tmp_path / "killer.npy"), ReadingSpec()))


def test_a_raw_scan_that_unpacks_to_more_than_memory_ends_nobody(tmp_path):
    np.save(tmp_path / "whole.npy", np.zeros((3, 2, 8, 8), np.uint16))
    with h5py.File(tmp_path / "large.h5", "w") as file:  # two gigabytes in a few megabytes
        counts = file.create_dataset("counts", (2, 2, 2**13, 2**13), "f8", chunks=(2, 2, 2**13, 2**13), compression=1)
        counts[0, 0, 0, 0] = 1
    with ScanReader(ReadingLimits(memory_mb=1_500, seconds=100)) as reader:
        assert "large.h5: " in str(reader.raw_problem(str(tmp_path / "large.h5"), ReadingSpec()))
        assert reader.raw_problem(str(tmp_path / "whole.npy"), ReadingSpec()) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("killer", "SIGKILL"),
        ("leaver", " 3)"),
        ("deep", "RecursionError: too deep"),
        ("talker", "ValueError: xxx"),
    ],
)
def test_whatever_a_scan_does_to_its_reader_there_is_an_answer(misbehaving, scan, name, words):
    with ScanReader(PLAIN) as reader:
        assert reader.problem(scan("before")) is None
        problem = reader.problem(scan(name))
        assert str(problem).startswith(scan(name))
        assert words in str(problem)
        json.dumps(problem, ensure_ascii=False).encode()
        assert len(str(problem)) < 3_000
        assert reader.problem(scan("after")) is None


def test_what_a_scan_prints_is_no_answer(misbehaving, scan):
    with ScanReader(PLAIN) as reader:
        assert reader.problem(scan("printer_killer")) is not None
        assert reader.problem(scan("printer")) is None


def saying(answer: str) -> tuple[str, ...]:
    """Return the command of a process that answers the first question with the value of this expression."""
    code = """print('{"ready": true}', flush=True); input(); """
    return (sys.executable, "-c", f"import json, os; {code} print({answer}, flush=True); input()")


@pytest.mark.parametrize("answer", ["'[1]'", "'{}'", "'no JSON'", "'{\"problem\": 1}'", "'[' * 10**5", "'x' * 10**6"])
def test_an_answer_that_is_none_is_a_problem_of_the_scan(scan, monkeypatch, answer):
    monkeypatch.setattr(isolated_reader, "COMMAND", saying(answer))
    with ScanReader(PLAIN) as reader:
        assert "any_radial_crop.npz: " in str(reader.problem(scan("any")))


def test_a_scan_that_takes_too_long_is_given_up_and_the_next_one_read(misbehaving, scan):
    with ScanReader(ReadingLimits(seconds=0.5)) as reader:
        found = str(reader.problem(scan("sleeper")))
        assert "0.5 s" in found
        assert "DIFSIMS_INTAKE_SECONDS" in found
    with ScanReader(PLAIN) as reader:
        assert reader.problem(scan("next")) is None


def test_a_scan_that_needs_too_much_memory_is_named_with_the_setting(tmp_path, scan):
    path = tmp_path / "large_radial_crop.npz"
    np.savez_compressed(path, x=np.arange(1000.0), y=np.zeros((30_000, 1000)))
    with ScanReader(ReadingLimits(memory_mb=100, seconds=100)) as reader:
        assert "100 MB" in str(reader.problem(str(path)))
        assert "DIFSIMS_INTAKE_MEMORY_MB" in str(reader.problem(str(path)))
        assert reader.problem(scan("small")) is None


def test_the_process_knows_no_secret_and_all_limits(monkeypatch, scan):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret-key")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "a:b")
    monkeypatch.setenv("DIFSIMS_NPZ_ARRAY_MB", "7")
    monkeypatch.setattr(isolated_reader, "COMMAND", saying("json.dumps({'problem': ' '.join(os.environ)})"))
    with ScanReader(PLAIN) as reader:
        names = str(reader.problem(scan("any"))).split()
    assert "DIFSIMS_NPZ_ARRAY_MB" in names
    assert not [name for name in names if name.startswith(("AWS", "PREFECT"))]


@pytest.mark.parametrize("code", ["raise SystemExit(1)", "print('hello', flush=True); input()"])
def test_a_process_that_does_not_start_is_no_fault_of_a_scan(monkeypatch, scan, code):
    monkeypatch.setattr(isolated_reader, "COMMAND", (sys.executable, "-c", code))
    with ScanReader(PLAIN) as reader, pytest.raises(ScanReaderError):
        reader.problem(scan("any"))


def test_a_program_that_is_not_there_is_no_fault_of_a_scan(monkeypatch, scan):
    monkeypatch.setattr(isolated_reader, "COMMAND", ("/no/such/python",))
    with ScanReader(PLAIN) as reader, pytest.raises(ScanReaderError):
        reader.problem(scan("any"))
