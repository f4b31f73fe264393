"""A kernel kept on disk must not survive a change of a kernel that it calls."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from difsims_core import kernels

CODE = """
import numpy as np
from difsims_core.kernels.random import draw
out = np.empty(1, np.float64)
draw.uniform(1, np.arange(1), 0.0, 1.0, 1, out)
print(out[0])
"""


def test_a_change_in_another_file_is_noticed(tmp_path):
    package = tmp_path / "difsims_core"
    shutil.copytree(kernels.__path__[0], package / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").touch()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

    def drawn() -> str:
        done = subprocess.run(
            [sys.executable, "-c", CODE], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    before = drawn()
    assert list((package / "kernels" / "random" / "__pycache__").glob("draw.uniform*.nbi"))
    assert drawn() == before
    file = package / "kernels" / "random" / "counter_rng.py"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("0xD2511F53", "0xD2511F55"), encoding="utf-8")
    assert drawn() != before
