"""Orix is compiled by one process, and others wait for it."""

import os
import subprocess
import sys
import time

import pytest
from filelock import FileLock

LOAD = [sys.executable, "-c", "from difsims_core.crystal.libraries import Phase"]


@pytest.mark.slow
def test_a_new_installation_is_compiled_by_one_process(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    first = subprocess.Popen(LOAD, env=environment)
    try:
        while not (locks := list(tmp_path.glob("difsims-orix-*.lock"))):
            assert first.poll() is None
            time.sleep(0.01)
        with pytest.raises(TimeoutError), FileLock(locks[0], timeout=0.5):
            pass
        second = subprocess.Popen(LOAD, env=environment)
        assert first.wait(120) == 0
        assert second.wait(120) == 0
    finally:
        first.kill()
    (mark,) = [path for path in tmp_path.glob("difsims-orix-*") if path.suffix != ".lock"]
    assert len(list(tmp_path.rglob("*.nbi"))) > 20
    with FileLock(locks[0]):
        subprocess.run(LOAD, env=environment, check=True, timeout=60)
        mark.unlink()
        with pytest.raises(subprocess.TimeoutExpired):
            subprocess.run(LOAD, env=environment, check=True, timeout=8)
