"""A kernel kept on disk must not survive a change of a kernel that it calls."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from difsims_core import kernels

CODE = """
import numpy as np
from difsims_core.kernels.random import draw
out = np.empty(1, np.float64)
draw.uniform(1, np.arange(1), 0.0, 1.0, 1, out)
print(out[0])
"""


NAMED = """
from typing import NamedTuple

from difsims_core.kernels.compile import kernel


class Pair(NamedTuple):
    a: float
    b: float


@kernel
def total(pair):
    return pair.a + pair.b


print(total(Pair(1.0, 2.0)))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the kernels that may be changed."""
    package = tmp_path / "difsims_core"
    shutil.copytree(kernels.__path__[0], package / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").touch()
    return package


def printed(package: Path, code: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(package.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=package.parent, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_change_in_another_file_is_noticed(package):
    before = printed(package, CODE)
    assert list((package / "kernels" / "random" / "__pycache__").glob("draw.uniform*.nbi"))
    assert printed(package, CODE) == before
    file = package / "kernels" / "random" / "counter_rng.py"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("0xD2511F53", "0xD2511F55"), encoding="utf-8")
    assert printed(package, CODE) != before


def test_a_type_that_is_gone_only_makes_a_cache_stale(package):
    """What Numba keeps of a kernel names the types of its arguments."""
    file = package / "kernels" / "named.py"
    for name in ("Pair", "Couple"):
        file.write_text(NAMED.replace("Pair", name), encoding="utf-8")
        assert printed(package, "import difsims_core.kernels.named") == "3.0\n"
    assert list((package / "kernels" / "__pycache__").glob("named.total*.nbi"))
