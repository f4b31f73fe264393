"""Orix is compiled by one process, and others wait for it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from numba import config

from difsims_core.crystal.libraries import Phase

# An orix that whoever finds another process compiling it cannot load: both stop there long enough to meet.
COMPILING = """
import os, time
from pathlib import Path
cache = Path(os.environ["NUMBA_CACHE_DIR"])
(cache / f"loaded-{os.getpid()}").touch()
busy = cache / "busy"
os.close(os.open(busy, os.O_CREAT | os.O_EXCL))
time.sleep(1)
busy.unlink()
"""
ROTATION = """
class Rotation:
    identity = classmethod(lambda cls: cls())
    __invert__ = lambda self: self
    __mul__ = lambda self, other: self
"""
# Waits, before it loads orix, until a file appears.
LOAD = """
import os, sys, time
from pathlib import Path
from difsims_core.crystal import libraries
Path(sys.argv[1]).touch()
while not Path(os.environ["NUMBA_CACHE_DIR"], "go").exists():
    time.sleep(0.01)
assert libraries.Phase == "made up"
"""


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The folder of compiled functions of a new installation of orix."""
    folder, orix = tmp_path / "cache", tmp_path / "site" / "orix"
    folder.mkdir()
    orix.mkdir(parents=True)
    (orix / "__init__.py").touch()
    (orix / "quaternion.py").write_text(COMPILING + ROTATION)
    (orix / "vector.py").write_text("class Vector3d:\n    xvector = dict")
    (orix / "crystal_map.py").write_text("Phase = 'made up'")
    return folder


@pytest.fixture
def start(cache: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Start a process that loads orix, and return when it is about to."""
    paths = os.pathsep.join(map(str, (cache.with_name("site"), Path(__file__).resolve().parents[2])))
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": paths}
    started: list[subprocess.Popen[bytes]] = []

    def begin(name: str) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-c", LOAD, str(cache / name)], env=environment))
        while not (cache / name).exists():
            assert started[-1].poll() is None
            time.sleep(0.01)
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def compilations(cache: Path) -> int:
    return len(list(cache.glob("loaded-*")))


def test_a_new_installation_is_compiled_by_one_process(cache, start):
    processes = [start(name) for name in ("first", "second")]
    (cache / "go").touch()
    assert [process.wait() for process in processes] == [0, 0]
    mark, lock = sorted(cache.glob("difsims-orix-*"))
    assert lock.name == f"{mark.name}.lock"


def test_whoever_finds_it_compiled_waits_for_nobody(cache, start):
    (cache / "go").touch()
    assert start("first").wait() == 0
    mark, lock = sorted(cache.glob("difsims-orix-*"))
    with FileLock(lock):
        assert start("second").wait() == 0
        mark.unlink()
        third = start("third")
        with pytest.raises(subprocess.TimeoutExpired):
            third.wait(1)
        assert compilations(cache) == 1
    assert third.wait() == 0
    assert compilations(cache) == 2


def test_all_of_orix_is_compiled_before_its_first_use():
    import orix

    assert Phase.__module__.startswith("orix.")
    folder = Path(config.CACHE_DIR or Path(str(orix.__file__)).parent)
    assert len([path for path in folder.rglob("*.nbi") if "orix" in str(path)]) > 20
