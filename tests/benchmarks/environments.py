"""Environments of other packages, which benchmarks compare with: made by pip, each beside difsims and without it."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def python_with(folder: Path, *packages: str) -> Path:
    """Return the interpreter of an environment with packages, made unless it is there; pip's configuration counts."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", *packages], capture_output=True, text=True, check=False
    )
    if done.returncode:
        wanted = ", ".join(packages)
        sys.exit(f"{wanted} cannot be installed into {folder} (pip config says where from):\n{done.stderr[-1500:]}")
    return python


@contextmanager
def answering(python: Path, script: str, *told: object) -> Iterator[Callable[[], list[float]]]:
    """Give what makes a script of this folder, in a process of its own, do its work once, and returns its numbers.

    It has one thread of linear algebra.
    """
    command = [python, Path(__file__).with_name(script), *map(str, told)]
    one_thread = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=one_thread) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        to, answers = process.stdin, process.stdout

        def ask() -> list[float]:
            to.write("\n")
            to.flush()
            line = answers.readline()
            if not line:
                sys.exit(f"{script} failed")
            return [float(number) for number in line.split()]

        yield ask
        to.close()
