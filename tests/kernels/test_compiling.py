"""The first use says that kernels are compiled; what was compiled ahead is not compiled again."""

import logging
import os
import subprocess
import sys
from pathlib import Path

from difsims_core.config.documents import load_spec
from difsims_core.kernels.compile import compiled_here
from difsims_core.resources import specs_folder
from difsims_core.simulation.compile_kernels import DOCUMENTS, compile_kernels
from difsims_core.simulation.simulator import simulate
from flows.cli import console

ROOT = Path(__file__).resolve().parents[2]
ONE_KERNEL = """
import numpy as np
from flows.cli import console
console.tell_compiling()
from difsims_core.kernels.compile import compiled_here
from difsims_core.kernels.random.draw import uniform
for kind in (np.float64, np.float32):
    uniform(1, np.arange(3), 0.0, 1.0, 0, np.zeros(3, kind))
print(compiled_here())
"""


def test_only_what_is_not_on_disk_is_compiled_and_said(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", ONE_KERNEL]
    first, second = (
        subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True) for _ in range(2)
    )
    assert int(first.stdout) >= 1
    assert first.stderr.count("difsims compile") == 1
    assert (int(second.stdout), second.stderr) == (0, "")


def test_what_is_compiled_ahead_is_all_that_the_shipped_documents_need():
    assert {f"{name}.yaml" for name in DOCUMENTS} <= {path.name for path in specs_folder().glob("*.yaml")}
    compile_kernels()
    before = compiled_here()
    for name in DOCUMENTS:
        path = specs_folder() / f"{name}.yaml"
        coarse = 3 if load_spec(path).orientations.kind == "library" else 20
        simulate(load_spec(path, changes=[f"orientations.resolution_deg={coarse}"]), 0, 3)
    assert compiled_here() == before


def test_progress_is_a_line_every_tenth_kernel(capsys):
    handler = console.KernelHandler()
    for number in range(1, 26):
        handler.handle(record(number))
    assert len(capsys.readouterr().err.splitlines()) == 3


def record(number: int):

    made = logging.LogRecord("difsims_core.kernels.compile", logging.INFO, "", 0, "", (), None)
    made.number, made.most = number, 80
    return made
