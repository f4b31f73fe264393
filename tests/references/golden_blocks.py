"""Write the golden blocks: 64 profiles of each phase, exact float32, that every machine must reproduce.

    python -m tests.references.golden_blocks

To be run when the engine's version changes, and then alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from difsims_core import load_spec, simulate
from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.catalogue import list_catalogue
from difsims_core.diffraction.engines.kinematical import KinematicalEngine
from difsims_core.resources import specs_folder

PATH = Path(__file__).with_suffix(".npz")
N = 64


def golden_spec(phase: str) -> SimulationSpec:
    """Return the reference document for one phase, stored exactly."""
    changes = [f"phases=[{phase}]", f"n_patterns={N}", "output.precision=exact"]
    return load_spec(specs_folder() / "reference.yaml", changes=changes)


def main() -> None:
    blocks = {name: simulate(golden_spec(name)).x_px for name in phases()}
    np.savez_compressed(PATH, engine_version=np.array(KinematicalEngine.version), **blocks)


def phases() -> list[str]:
    """Return the names of all phases of the catalogue."""
    return sorted(item.name for item in list_catalogue())


if __name__ == "__main__":
    main()
