"""Compile once what every process of a run would otherwise compile for itself: orix and our kernels.

    python -m tests.warm

Compiled code is kept on disk, by Numba, and the processes that tests start find it there as well.
"""

from __future__ import annotations

import sys

from difsims_core.config.documents import load_spec, make_spec
from difsims_core.resources import specs_folder
from difsims_core.simulation.simulator import Simulator

_EVERYTHING = {"polar_px": True, "polar_all": True, "peaks": True}


def compile_once() -> None:
    """Simulate a few patterns with what most documents ask for, and with everything that can be put out."""
    reference = load_spec(specs_folder() / "reference.yaml")
    few = {"n_patterns": len(reference.phases)}
    documents = [few, few | {"output": _EVERYTHING}, few | {"diffraction": {"precession_angle_deg": 0.5}}]
    for spec in (reference, *map(make_spec, documents)):
        Simulator.prepare(spec).block(0, len(spec.phases))


if __name__ == "__main__":
    sys.exit(compile_once())
