"""Make bloch_spots.npz: spots of grains by Bloch waves, for scans that choose recipes.

    python -m tests.development.bloch FILE [--grains 750]

The engine is this project's own; its physics is not that of the documents that networks are trained with: factors of
the International Tables, absorption of 8, 10 or 12 % of the potential, fine beams, exact directions in place of a
library, draws of their own. The direct beam is what mean absorption and the spots leave of it; what is absorbed is
nowhere.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from difsims_core.config.documents import make_spec
from difsims_core.config.simulation import SimulationSpec
from difsims_core.crystal.phases import load_phase
from difsims_core.simulation.simulator import Simulator
from difsims_core.units import electron_wavelength_angstrom, relativistic_factor
from tests.development.spots import GrainSpots, StoredSpots, append, write_spots
from tests.oracles.structure_factor import element_symbol, xtables

PHASES = ["p4mbm_scaled_mixed_halide", "gratia_2h", "pbi2_2h"]
ABSORPTION = 0.08, 0.10, 0.12
_KV, _G_MAX, _FAINT, _AT_ONCE = 200, 1.5, 1e-5, 30


def document(n: int, absorption: float, seed: int) -> dict:
    """Return the parameters of n patterns without any imperfection."""
    return {
        "n_patterns": n,
        "seed": seed,
        "phases": PHASES,
        "microscope": {"beam_energy_kv": _KV},
        "detector": {"size_px": 256, "calibration_per_angstrom": 0.01176},
        "diffraction": {
            "scattering_factors": "xtables",
            "max_excitation_error_per_angstrom": 0.05,
            "thickness_angstrom": {"uniform": [60, 420]},
        },
        "lattice_scale": {"uniform": [0.98, 1.02]},
        "calibration_scale": 1.0,
        "intensities": {
            "model": "bloch",
            "beams": "fine",
            "absorption": absorption,
            "rms_displacement_angstrom": {"uniform": [0.06, 0.11]},
        },
        "spots": {"sigma_px": 1.0, "removal": None},
        "noise": None,
        "background": None,
    }


def mean_absorption(name: str, absorption: float) -> float:
    """Return μ, Å⁻¹: exp(−μt) of the electrons are left at the thickness t (docs/physics.md §11)."""
    structure = load_phase(name).structure
    forward = sum(float(xtables(element_symbol(atom.element), np.zeros(1))[0]) * atom.occupancy for atom in structure)
    u_0 = relativistic_factor(_KV) * forward / (np.pi * structure.lattice.volume)
    return 2 * np.pi * absorption * u_0 * electron_wavelength_angstrom(_KV)


def grains(n: int, absorption: float, seed: int) -> list[GrainSpots]:
    """Return n grains, the phases in turn."""
    simulator = Simulator.prepare(make_spec(document(n, absorption, seed), SimulationSpec, source="development"))
    mu = [mean_absorption(name, absorption) for name in PHASES]
    found = []
    for first in range(0, n, _AT_ONCE):
        draws = simulator.draw(first, min(first + _AT_ONCE, n))
        labels = draws.patterns % len(PHASES)
        spots = simulator.tables.engine.detected_spots(draws, labels)
        for i, label in enumerate(labels.tolist()):
            part = slice(spots.start[i], spots.start[i + 1])
            g, intensity = spots.g[part], spots.intensity[part]
            thickness, scale = draws["thickness_angstrom"][[i]], float(draws["lattice_scale"][i])
            left = np.exp(-mu[label] * thickness / scale**3)
            kept = (intensity >= _FAINT) & (np.hypot(g[:, 0], g[:, 1]) <= _G_MAX)
            found.append(
                GrainSpots(
                    phase=label,
                    quaternion=draws["orientation"][i],
                    scale=scale,
                    u=float(draws["rms_displacement_angstrom"][i]),
                    thickness=thickness,
                    direct=np.maximum(left - intensity.sum(), 0),
                    g=g[kept],
                    intensity=intensity[kept, None],
                    diffuse=np.zeros((1, 0)),
                    total=left,
                )
            )
    return found


def main() -> None:
    """Write the spots of all grains."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--grains", type=int, default=750)
    arguments = parser.parse_args()
    each = arguments.grains // len(ABSORPTION)
    header = json.dumps(
        {
            "made_by": "tests/development/bloch.py",
            "phases": PHASES,
            "absorption, in turn": ABSORPTION,
            "documents": document(each, ABSORPTION[0], 0),
        }
    )
    stored: StoredSpots | None = None
    for seed, absorption in enumerate(ABSORPTION, start=301):
        for grain in grains(each, absorption, seed):
            stored = append(stored, grain, header)
    if stored is not None:
        write_spots(arguments.file, stored)


if __name__ == "__main__":
    main()
