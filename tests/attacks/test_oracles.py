"""The oracles can fail: readers with planted faults are caught, one by one, and an honest one is not."""

from __future__ import annotations

import ctypes
import importlib
import os
import pickle
import socket
import subprocess
import sys
import time
from functools import partial
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

from difsims_core.errors import InputError
from difsims_core.storage.objects import open_store
from tests.attacks.campaign import document, figure, jobs_of, run_campaign, text
from tests.attacks.kinds import Attack, Kind
from tests.attacks.oracles import BrokenPromiseError, Original, check_untouched, digests
from tests.attacks.worker import run_cases


class _Planted:
    def __reduce__(self):
        return os.getcwd, ()


def _out_of_memory():
    raise MemoryError


def _hides_memory():
    try:
        _out_of_memory()
    except MemoryError:
        raise InputError("a.npz: damaged") from None


def _raises(error):
    raise error


def _fills_memory():
    return len(bytes(np.random.default_rng(0).bytes(2**20)) * 1200)


def _computes():
    until = time.process_time() + 10.5
    while time.process_time() < until:
        pass


FAULTS = {
    "unpickles": (lambda: pickle.loads(pickle.dumps(_Planted())), "pickle.find_class"),  # noqa: S301
    "opens": (lambda: Path("/etc/hostname").read_bytes(), "open"),
    "writes": (lambda: Path("/dev/full").open("w").close(), "open"),
    "lists": (lambda: list(Path("/home").iterdir()), "os.listdir"),
    "runs": (lambda: subprocess.run(["true"], check=True), "subprocess.Popen"),
    "shells": (lambda: os.system("true"), "os.system"),  # noqa: S605
    "connects": (lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("127.0.0.1", 9)), "socket.connect"),
    "imports": (lambda: importlib.import_module("this"), "import"),
    "executes": (lambda: exec("1 + 1"), "exec"),  # noqa: S102
    "loads": (lambda: ctypes.CDLL("libm.so.6"), "ctypes.dlopen"),
    "lets errors out": (lambda: _raises(KeyError("x")), "KeyError"),
    "leaves": (lambda: sys.exit(3), "SystemExit"),
    "forges a line": (lambda: _raises(InputError("a\x1b[2Jb")), "control character"),
    "hides a want of memory": (_hides_memory, "more memory than there is"),
    "fills the memory": (_fills_memory, "MB of memory"),
    "computes on": (_computes, "s of computing"),
    "dies": (lambda: os._exit(9), "died with exit code 9"),
}
HONEST = {
    "returns": lambda: 1,
    "refuses": lambda: _raises(InputError("a.npz: expected b, found c")),
}


class Reader(Attack):
    """Reads nothing, and does what it should or should not, one thing a case."""

    def __init__(self, folder: Path, names: tuple[str, ...]) -> None:
        self._work = cycle([HONEST[name] if name in HONEST else FAULTS[name][0] for name in names])
        super().__init__(folder)

    def run(self, rng: np.random.Generator) -> str:  # noqa: ARG002 the interface
        return self.judge.outcome(next(self._work))[0]


def kind_of(*names: str) -> Kind:
    return Kind(f"planted.{names[0]}", 100, partial(Reader, names=names), 0.001)


def test_readers_with_planted_faults_are_caught_one_by_one(tmp_path):
    folder, saved = tmp_path / "work", tmp_path / "saved"
    folder.mkdir()
    tally = run_cases(kind_of(*FAULTS), 1, range(len(FAULTS)), folder, saved=saved)
    found = dict(tally.failures)
    assert [name for number, name in enumerate(FAULTS) if FAULTS[name][1] not in found.get(number, "")] == []
    assert tally.cases == len(FAULTS)
    assert "pickle.find_class" in (saved / "planted.unpickles-1-0/failure.txt").read_text()


def test_an_honest_reader_passes_and_the_figures_say_what_that_is_worth(tmp_path):
    kinds = [kind_of(name) for name in HONEST]
    tallies, share = run_campaign(kinds, 1, 1.0, 2, tmp_path, tmp_path / "saved")
    assert [tally.cases for tally in tallies.values()] == [100, 100]
    assert figure(tallies["planted.returns"]) == "0 of 100: below 3.0e-02 at 95 %"
    assert tallies["planted.refuses"].outcomes == {"refused": 100}
    row = document(tallies, kinds, 1, share)["kinds"][0]
    assert (row["broken"], row["below_at_95_percent"]) == (0, 0.03)
    assert "planned: 100.0% of a night" in text(tallies, kinds, 1, share)


def test_a_process_that_dies_is_begun_again_for_the_cases_after_it(tmp_path):
    tally = run_cases(kind_of("dies"), 1, range(3), tmp_path)
    assert [number for number, _ in tally.failures] == [0, 1, 2]
    assert "3 of 3 BROKEN" in figure(tally)


def test_a_short_campaign_takes_the_same_share_of_every_kind():
    begin = partial(Reader, names=("returns",))
    kinds = [Kind("a.a", 1000, begin, 3.6), Kind("b.b", 10, begin, 360)]
    jobs, share = jobs_of(kinds, 0.1 + 10 / 3600, 2)
    assert share == pytest.approx(0.1)
    assert sum(job.stop - job.first for job in jobs if job.kind is kinds[0]) == pytest.approx(100, abs=1)
    assert sum(job.stop - job.first for job in jobs if job.kind is kinds[1]) == pytest.approx(1, abs=1)


def test_a_changed_store_is_noticed_and_put_back(tmp_path):
    store = open_store(tmp_path / "store")
    store.write("a/b", b"1")
    store.write("c", b"2")
    before, original = digests(store), Original(store)
    store.write("a/b", b"3")
    store.write("d", b"4")
    store.delete("c")
    for key, what in (("a/b", "changed"), ("c", "lost"), ("d", "added")):
        others = {"a/b", "c", "d"} - {key}
        with pytest.raises(BrokenPromiseError, match=f"{key} was {what}"):
            check_untouched(before, digests(store), *others)
    assert original.restore() == {"a/b", "c", "d"}
    check_untouched(before, digests(store))
