"""Compile once what every process of a run would otherwise compile for itself: orix and our kernels.

    python -m tests.warm

Compiled code is kept on disk, by Numba, and the processes that tests start find it there as well.
"""

from __future__ import annotations

import sys

from difsims_core.config.documents import make_spec
from difsims_core.simulation.compile_kernels import compile_kernels
from difsims_core.simulation.simulator import Simulator


def compile_once() -> None:
    """Compile what the shipped documents need, and the kernels of precession, which many tests ask for."""
    compile_kernels()
    Simulator.prepare(make_spec({"n_patterns": 3, "diffraction": {"precession_angle_deg": 0.5}})).block(0, 3)


if __name__ == "__main__":
    sys.exit(compile_once())
