"""Write the golden blocks: profiles of each phase by each engine, exact float32, that every machine must reproduce.

    python -m tests.references.golden_blocks [ENGINE ...]

To be run when the version of an engine changes, and then alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from difsims_core import load_spec, simulate
from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.catalogue import list_catalogue
from difsims_core.diffraction.engines.versions import OWN_VERSIONS
from difsims_core.resources import specs_folder

N = {"kinematical": 64, "bloch": 8}
CHANGES = {
    "kinematical": (),
    "bloch": (
        "intensities={model: bloch, rms_displacement_angstrom: {uniform: [0.06, 0.12]}}",
        "diffraction.thickness_angstrom={uniform: [60, 480]}",
        "noise=null",  # a count more or less would hide how well intensities agree
        "output.x_all=false",
    ),
}


def path_of(engine: str) -> Path:
    """Return the file of an engine."""
    return Path(__file__).with_name(f"golden_{engine}.npz")


def golden_spec(engine: str, phase: str) -> SimulationSpec:
    """Return the reference document for one phase, stored exactly."""
    changes = [f"phases=[{phase}]", f"n_patterns={N[engine]}", "output.precision=exact", *CHANGES[engine]]
    return load_spec(specs_folder() / "reference.yaml", changes=changes)


def main() -> None:
    for engine in sys.argv[1:] or list(N):
        blocks = {name: simulate(golden_spec(engine, name)).x_px for name in phases()}
        np.savez_compressed(path_of(engine), engine_version=np.array(OWN_VERSIONS[engine]), **blocks)


def phases() -> list[str]:
    """Return the names of all phases of the catalogue."""
    return sorted(item.name for item in list_catalogue())


if __name__ == "__main__":
    main()
